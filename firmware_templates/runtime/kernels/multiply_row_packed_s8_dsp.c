/* The matrix product behind FULLY_CONNECTED with packed weights: one row of widened inputs with four output channels at
 * a time, whose weights take few values and are stored as codes of 4, 2 or 1 bits.
 *
 *   output[o] = clamp8(zo + rescale[o]( b[o] + sum over t of w[o, t] * row[t] ))
 *   w[o, t0] and w[o, t2] = lanes of pairs[code(o, t0) | code(o, t2) << bits],   w[o, t1] and w[o, t3] likewise
 *
 * `row` holds, of every four values t0..t3, the words (t0, t2) and (t1, t3). `codes` are, for every four channels and
 * every four taps, the codes of (t0, t2) of each channel, then of (t1, t3) of each, the first in the lowest bits; every
 * four channels start a word. 16 products for 26 instructions, where bytes take 18. The number of channels is a multiple
 * of four and not 0. Assembly for the same reason as in multiply_s8_dsp.c, with the same in C for other targets.
 */
#include "packed_dsp.h"

#ifdef LW_DSP

/* r0 row, r1 codes, r2 pairs, r3 end of the row, r4-r7 sums, r8 and r9 four inputs, r10 and r11 codes, r12 one pair; on
 * the stack: row, its end, the next bias, where the first round of two steps begins; from 52 on the arguments end of the
 * biases, output, scale, bytes from one scale to the next, center, pairs. */
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
    "    and     r4, r4, #1\n" /* steps that the first round leaves out */          \
    "    movs    r5, #" step_bytes "\n"                                             \
    "    adr     r6, 2f\n"                                                          \
    "    mla     r6, r4, r5, r6\n"                                                  \
    "    orr     r6, r6, #1\n"                                                      \
    "    strd    r0, r1, [sp]\n"                                                    \
    "    strd    r3, r6, [sp, #8]\n"                                                \
    "    mov     r1, r2\n"                                                          \
    "1:  ldr     r2, [sp, #8]\n"                                                    \
    "    ldrd    r0, r3, [sp]\n"                                                    \
    "    ldm.w   r2!, {r4-r7}\n"                                                    \
    "    str     r2, [sp, #8]\n"                                                    \
    "    ldr     r2, [sp, #72]\n"                                                   \
    "    ldr     pc, [sp, #12]\n"                                                   \
    "    .balign 4\n"                                                               \
    "2:\n"                                                                          \
    "    .rept 2\n"                                                                 \
    "    ldrd    r8, r9, [r0], #8\n"

/* The lanes of the pair whose code has `width` bits from `place` of a register on, times two inputs. */
#define LW_PAIR(codes, place, width, sum, input)                                    \
    "    ubfx    r12, " codes ", " place ", " width "\n"                            \
    "    ldr.w   r12, [r2, r12, lsl #2]\n"                                          \
    "    smlad   " sum ", " input ", r12, " sum "\n"

/* r8 bytes from one scale to the next, r9 and r10 multiplier and shift of a channel, r11 center */
#define LW_END(name)                                                                \
    "    .endr\n"                                                                   \
    "    cmp     r0, r3\n"                                                          \
    "    bne     2b\n"                                                              \
    "    adds    r1, #3\n"                                                          \
    "    bic     r1, r1, #3\n"                                                      \
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

__asm__(
    LW_BEGIN("lw_multiply_row_packed_s8_dsp", "104")
    "    ldrd    r10, r11, [r1], #8\n"
    LW_PAIR("r10", "#0", "#8", "r4", "r8")
    LW_PAIR("r10", "#8", "#8", "r5", "r8")
    LW_PAIR("r10", "#16", "#8", "r6", "r8")
    LW_PAIR("r10", "#24", "#8", "r7", "r8")
    LW_PAIR("r11", "#0", "#8", "r4", "r9")
    LW_PAIR("r11", "#8", "#8", "r5", "r9")
    LW_PAIR("r11", "#16", "#8", "r6", "r9")
    LW_PAIR("r11", "#24", "#8", "r7", "r9")
    LW_END("lw_multiply_row_packed_s8_dsp"));

__asm__(
    LW_BEGIN("lw_multiply_row_packed_2bit_s8_dsp", "104")
    "    ldr.w   r10, [r1], #4\n"
    LW_PAIR("r10", "#0", "#4", "r4", "r8")
    LW_PAIR("r10", "#4", "#4", "r5", "r8")
    LW_PAIR("r10", "#8", "#4", "r6", "r8")
    LW_PAIR("r10", "#12", "#4", "r7", "r8")
    LW_PAIR("r10", "#16", "#4", "r4", "r9")
    LW_PAIR("r10", "#20", "#4", "r5", "r9")
    LW_PAIR("r10", "#24", "#4", "r6", "r9")
    LW_PAIR("r10", "#28", "#4", "r7", "r9")
    LW_END("lw_multiply_row_packed_2bit_s8_dsp"));

__asm__(
    LW_BEGIN("lw_multiply_row_packed_1bit_s8_dsp", "104")
    "    ldrh.w  r10, [r1], #2\n"
    LW_PAIR("r10", "#0", "#2", "r4", "r8")
    LW_PAIR("r10", "#2", "#2", "r5", "r8")
    LW_PAIR("r10", "#4", "#2", "r6", "r8")
    LW_PAIR("r10", "#6", "#2", "r7", "r8")
    LW_PAIR("r10", "#8", "#2", "r4", "r9")
    LW_PAIR("r10", "#10", "#2", "r5", "r9")
    LW_PAIR("r10", "#12", "#2", "r6", "r9")
    LW_PAIR("r10", "#14", "#2", "r7", "r9")
    LW_END("lw_multiply_row_packed_1bit_s8_dsp"));

#else

static void lw_store(const int32_t sums[4], const lw_scale *scale, int32_t scale_bytes, int32_t center, int8_t *output)
{
    for (int32_t i = 0; i < 4; i++) {
        const lw_scale *const own = scale + i * scale_bytes / (int32_t)sizeof *scale;
        output[i] = lw_finish(sums[i], own->multiplier, own->shift, center);
    }
}

static void lw_fours(const uint32_t *row, const uint32_t *end, const uint32_t *codes, const int32_t *bias,
                     const int32_t *bias_end, int8_t *output, const lw_scale *scale, int32_t scale_bytes,
                     int32_t center, const uint32_t *pairs, uint32_t width)
{
    for (; bias != bias_end; bias += 4) {
        int32_t sums[4] = {bias[0], bias[1], bias[2], bias[3]};
        uint32_t word = 0;
        uint32_t place = 0;
        for (const uint32_t *x = row; x != end; x++) {
            if (place == 0u) {
                word = *codes++;
            }
            for (int32_t i = 0; i < 4; i++) {
                sums[i] = lw_dot_lanes(*x, pairs[word >> place & ((1u << width) - 1u)], sums[i]);
                place += width;
            }
            place &= 31u;
        }
        lw_store(sums, scale, scale_bytes, center, output);
        scale += 4 * scale_bytes / (int32_t)sizeof *scale;
        output += 4;
    }
}

void lw_multiply_row_packed_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *codes,
                                   const int32_t *bias, const int32_t *bias_end, int8_t *output,
                                   const lw_scale *scale, int32_t scale_bytes, int32_t center, const uint32_t *pairs)
{
    lw_fours(row, end, codes, bias, bias_end, output, scale, scale_bytes, center, pairs, 8);
}

void lw_multiply_row_packed_2bit_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *codes,
                                        const int32_t *bias, const int32_t *bias_end, int8_t *output,
                                        const lw_scale *scale, int32_t scale_bytes, int32_t center,
                                        const uint32_t *pairs)
{
    lw_fours(row, end, codes, bias, bias_end, output, scale, scale_bytes, center, pairs, 4);
}

void lw_multiply_row_packed_1bit_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *codes,
                                        const int32_t *bias, const int32_t *bias_end, int8_t *output,
                                        const lw_scale *scale, int32_t scale_bytes, int32_t center,
                                        const uint32_t *pairs)
{
    lw_fours(row, end, codes, bias, bias_end, output, scale, scale_bytes, center, pairs, 2);
}

#endif
