/* setjmp and longjmp of Armv7-M and Armv8-M Mainline: r4 to r11, sp, lr and, with an FPU, s16 to s31 (AAPCS32 6.1). The
 * buffer is the caller's jmp_buf, which has 104 bytes or more. longjmp with 0 makes setjmp return 1 (C99 7.13.2.1). */
#if !defined(__ARM_ARCH) || __ARM_ARCH < 7
#error "setjmp is not written for this core"
#endif

#ifdef __ARM_FP
#define LW_SAVE_FLOATS "vstmia r0!, {s16-s31}\n"
#define LW_LOAD_FLOATS "vldmia r0!, {s16-s31}\n"
#else
#define LW_SAVE_FLOATS
#define LW_LOAD_FLOATS
#endif

#define LW_FUNCTION(name) \
    ".section .text." name ", \"ax\", %progbits\n" \
    ".syntax unified\n" \
    ".balign 4\n" \
    ".global " name "\n" \
    ".type " name ", %function\n" \
    ".thumb_func\n" name ":\n"

#define LW_END(name) ".size " name ", . - " name "\n"

__asm__(LW_FUNCTION("setjmp") "mov r12, sp\n"
                              "stmia r0!, {r4-r11, r12, lr}\n" LW_SAVE_FLOATS "movs r0, #0\n"
                              "bx lr\n" LW_END("setjmp"));

__asm__(LW_FUNCTION("longjmp") "ldmia r0!, {r4-r11, r12, lr}\n"
                               "mov sp, r12\n" LW_LOAD_FLOATS "movs r0, r1\n"
                               "it eq\n"
                               "moveq r0, #1\n"
                               "bx lr\n" LW_END("longjmp"));

typedef int lw_setjmp_is_assembly;
