/* The matrix product behind FULLY_CONNECTED: one row of widened inputs with four output channels at a time.
 *
 *   output[o] = clamp8(zo + rescale[o]( b[o] + sum over t of w[o, t] * row[t] ))
 *
 * `row` holds, of every four values t0..t3, the words (t0, t2) and (t1, t3). `weights` are, for every four channels and
 * every four taps, the four bytes of each channel: 16 products for 18 instructions. Wide ones are 16-bit lanes, (t0, t2)
 * of each channel, then (t1, t3) of each: 11 instructions, and twice the bytes. The number of channels is a multiple of
 * four and not 0. Assembly for the same reason as in multiply_s8_dsp.c.
 */
#include "dsp.h"

#ifdef LW_DSP

/* r0 row, r1 weights, r3 end of the row, r4-r7 sums, r8 and r9 four inputs, r10-r12 and lr weights; on the stack: row,
 * its end, the next bias, where the first round of four steps begins; from 52 on the arguments end of the biases, output,
 * scale, bytes from one scale to the next, center. */
#define LW_BEGIN(name, step_bytes)                                                  \
    ".syntax unified\n"                                                             \
    ".section .text." name ", \"ax\", %progbits\n"                                  \
    ".balign 4\n"                                                                   \
    ".global " name "\n"                                                            \
    ".type " name ", %function\n"                                                   \
    ".thumb\n"                                                                      \
    ".thumb_func\n" name ":\n"                                                      \
    "    push    {r4-r11, lr}\n"                                                    \
    "    sub     sp, #16\n"                                                         \
    "    subs    r4, r1, r0\n"                                                      \
    "    lsrs    r4, r4, #3\n"                                                      \
    "    rsbs    r4, r4, #0\n"                                                      \
    "    and     r4, r4, #3\n" /* steps that the first round leaves out */          \
    "    movs    r5, #" step_bytes "\n"                                             \
    "    adr     r6, 2f\n"                                                          \
    "    mla     r6, r4, r5, r6\n"                                                  \
    "    orr     r6, r6, #1\n"                                                      \
    "    strd    r0, r1, [sp]\n"                                                    \
    "    strd    r3, r6, [sp, #8]\n"                                                \
    "    mov     r1, r2\n"                                                          \
    "    mov     r2, r3\n"                                                          \
    "1:  ldrd    r0, r3, [sp]\n"                                                    \
    "    ldm.w   r2!, {r4-r7}\n"                                                    \
    "    str     r2, [sp, #8]\n"                                                    \
    "    ldr     pc, [sp, #12]\n"                                                   \
    "    .balign 4\n"                                                               \
    "2:\n"                                                                          \
    "    .rept 4\n"                                                                 \
    "    ldrd    r8, r9, [r0], #8\n"                                                \
    "    ldm.w   r1!, {r10-r12, lr}\n"

/* r8 bytes from one scale to the next, r9 and r10 multiplier and shift of a channel, r11 center */
#define LW_END(name)                                                                \
    "    .endr\n"                                                                   \
    "    cmp     r0, r3\n"                                                          \
    "    bne     2b\n"                                                              \
    "    ldrd    r0, r12, [sp, #52]\n"                                              \
    "    ldr     r2, [sp, #60]\n"                                                   \
    "    ldrd    r8, r11, [sp, #64]\n"                                              \
    "    .irp    sum, r4, r5, r6, r7\n"                                             \
    "    ldrd    r9, r10, [r2]\n"                                                   \
    "    add     r2, r8\n"                                                          \
    "    smmlar  \\sum, \\sum, r9, \\sum\n"                                         \
    "    add     \\sum, \\sum, \\sum, asr #31\n"                                    \
    "    asr     \\sum, \\sum, r10\n"                                               \
    "    add     \\sum, r11\n"                                                      \
    "    ssat    \\sum, #8, \\sum, asr #1\n"                                        \
    "    strb    \\sum, [r12], #1\n"                                                \
    "    .endr\n"                                                                   \
    "    str     r12, [sp, #56]\n"                                                  \
    "    str     r2, [sp, #60]\n"                                                   \
    "    ldr     r2, [sp, #8]\n"                                                    \
    "    cmp     r2, r0\n"                                                          \
    "    bne     1b\n"                                                              \
    "    add     sp, #16\n"                                                         \
    "    pop     {r4-r11, pc}\n"                                                    \
    ".size " name ", . - " name "\n"                                                \
    ".text\n"

/* r2 one widened weight */
__asm__(
    LW_BEGIN("lw_multiply_row_s8_dsp", "72")
    "    sxtb16  r2, r10\n"
    "    sxtb16  r10, r10, ror #8\n"
    "    smlad   r4, r8, r2, r4\n"
    "    smlad   r4, r9, r10, r4\n"
    "    sxtb16  r2, r11\n"
    "    sxtb16  r11, r11, ror #8\n"
    "    smlad   r5, r8, r2, r5\n"
    "    smlad   r5, r9, r11, r5\n"
    "    sxtb16  r2, r12\n"
    "    sxtb16  r12, r12, ror #8\n"
    "    smlad   r6, r8, r2, r6\n"
    "    smlad   r6, r9, r12, r6\n"
    "    sxtb16  r2, lr\n"
    "    sxtb16  lr, lr, ror #8\n"
    "    smlad   r7, r8, r2, r7\n"
    "    smlad   r7, r9, lr, r7\n"
    LW_END("lw_multiply_row_s8_dsp"));

__asm__(
    LW_BEGIN("lw_multiply_row_wide_s8_dsp", "44")
    "    smlad   r4, r8, r10, r4\n"
    "    smlad   r5, r8, r11, r5\n"
    "    smlad   r6, r8, r12, r6\n"
    "    smlad   r7, r8, lr, r7\n"
    "    ldm.w   r1!, {r10-r12, lr}\n"
    "    smlad   r4, r9, r10, r4\n"
    "    smlad   r5, r9, r11, r5\n"
    "    smlad   r6, r9, r12, r6\n"
    "    smlad   r7, r9, lr, r7\n"
    LW_END("lw_multiply_row_wide_s8_dsp"));

#else

static void lw_store(const int32_t sums[4], const lw_scale *scale, int32_t scale_bytes, int32_t center, int8_t *output)
{
    for (int32_t i = 0; i < 4; i++) {
        const lw_scale *const own = scale + i * scale_bytes / (int32_t)sizeof *scale;
        output[i] = lw_finish(sums[i], own->multiplier, own->shift, center);
    }
}

void lw_multiply_row_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *weights, const int32_t *bias,
                            const int32_t *bias_end, int8_t *output, const lw_scale *scale, int32_t scale_bytes,
                            int32_t center)
{
    for (; bias != bias_end; bias += 4) {
        int32_t sums[4] = {bias[0], bias[1], bias[2], bias[3]};
        for (const uint32_t *x = row; x != end; x += 2) {
            for (int32_t i = 0; i < 4; i++) {
                sums[i] = lw_dot_lanes(x[0], lw_even(weights[i]), sums[i]);
                sums[i] = lw_dot_lanes(x[1], lw_odd(weights[i]), sums[i]);
            }
            weights += 4;
        }
        lw_store(sums, scale, scale_bytes, center, output);
        scale += 4 * scale_bytes / (int32_t)sizeof *scale;
        output += 4;
    }
}

void lw_multiply_row_wide_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *weights,
                                 const int32_t *bias, const int32_t *bias_end, int8_t *output, const lw_scale *scale,
                                 int32_t scale_bytes, int32_t center)
{
    for (; bias != bias_end; bias += 4) {
        int32_t sums[4] = {bias[0], bias[1], bias[2], bias[3]};
        for (const uint32_t *x = row; x != end; x += 2) {
            for (int32_t i = 0; i < 4; i++) {
                sums[i] = lw_dot_lanes(x[0], weights[i], sums[i]);
                sums[i] = lw_dot_lanes(x[1], weights[4 + i], sums[i]);
            }
            weights += 8;
        }
        lw_store(sums, scale, scale_bytes, center, output);
        scale += 4 * scale_bytes / (int32_t)sizeof *scale;
        output += 4;
    }
}

#endif
