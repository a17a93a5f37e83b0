/* The matrix product behind the convolutions with packed weights: two columns of taps (columns_s8_dsp.c) with pairs of
 * output channels, whose weights take few values and are stored as codes of 4, 2 or 1 bits.
 *
 *   output_p[o] = clamp8(zo + rescale[o]( b[o] + sum over t of w[o, t] * columns[p, t] ))      p = 0, 1
 *   w[o, t0] and w[o, t2] = lanes of pairs[code(o, t0) | code(o, t2) << bits],   w[o, t1] and w[o, t3] likewise
 *
 * `codes` are, for each pair of channels and every four taps, the codes of (channel 0: t0, t2) (channel 1: t0, t2)
 * (channel 0: t1, t3) (channel 1: t1, t3), the first in the lowest bits; each pair of channels starts a word. `pairs` is
 * the widened weights of every two codes: 16 products for 18 instructions, where bytes take 14. The number of channels is
 * even and not 0. Assembly for the same reason as in multiply_s8_dsp.c, with the same in C for other targets.
 */
#include "packed_dsp.h"

#ifdef LW_DSP

/* r0 columns, r1 codes, r2 pairs, r3 end of the columns, r4-r7 sums (column 0 and 1 of channel 0, then of 1), r8-r11
 * four taps of both columns, r12 codes, lr one pair; on the stack: columns, their end, the next channel, where the first
 * round of two steps begins; from 52 on the arguments end of the channels, output 0, output 1, center, pairs. */
#define LW_BEGIN(name)                                                              \
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
    "    lsrs    r4, r4, #4\n"                                                      \
    "    and     r4, r4, #1\n" /* steps that the first round leaves out */          \
    "    movs    r5, #72\n"                                                         \
    "    adr     r6, 2f\n"                                                          \
    "    mla     r6, r4, r5, r6\n"                                                  \
    "    orr     r6, r6, #1\n"                                                      \
    "    strd    r0, r1, [sp]\n"                                                    \
    "    strd    r3, r6, [sp, #8]\n"                                                \
    "    mov     r1, r2\n"                                                          \
    "1:  ldrd    r0, r3, [sp]\n"                                                    \
    "    ldr     r2, [sp, #8]\n"                                                    \
    "    ldr     r4, [r2]\n"                                                        \
    "    ldr     r6, [r2, #12]\n"                                                   \
    "    mov     r5, r4\n"                                                          \
    "    mov     r7, r6\n"                                                          \
    "    ldr     r2, [sp, #68]\n"                                                   \
    "    ldr     pc, [sp, #12]\n"                                                   \
    "    .balign 4\n"                                                               \
    "2:\n"                                                                          \
    "    .rept 2\n"                                                                 \
    "    ldm.w   r0!, {r8-r11}\n"

/* The lanes of the pair whose code has `width` bits from `place` on, times both columns. */
#define LW_PAIR(place, width, sum0, sum1, column0, column1)                         \
    "    ubfx    lr, r12, " place ", " width "\n"                                   \
    "    ldr.w   lr, [r2, lr, lsl #2]\n"                                            \
    "    smlad   " sum0 ", " column0 ", lr, " sum0 "\n"                             \
    "    smlad   " sum1 ", " column1 ", lr, " sum1 "\n"

/* r8 and r9, r10 and r11: multiplier and shift of each channel, r12 center */
#define LW_END(name)                                                                \
    "    .endr\n"                                                                   \
    "    cmp     r0, r3\n"                                                          \
    "    bne     2b\n"                                                              \
    "    adds    r1, #3\n"                                                          \
    "    bic     r1, r1, #3\n"                                                      \
    "    ldr     r2, [sp, #8]\n"                                                    \
    "    ldr     r12, [sp, #64]\n"                                                  \
    "    ldm     r2!, {r3, r8, r9}\n"                                               \
    "    ldm     r2!, {r3, r10, r11}\n"                                             \
    "    str     r2, [sp, #8]\n"                                                    \
    "    ldrd    r0, r3, [sp, #56]\n"                                               \
    "    smmlar  r4, r4, r8, r4\n"                                                  \
    "    smmlar  r5, r5, r8, r5\n"                                                  \
    "    smmlar  r6, r6, r10, r6\n"                                                 \
    "    smmlar  r7, r7, r10, r7\n"                                                 \
    "    .irp    sum, r4, r5, r6, r7\n"                                             \
    "    add     \\sum, \\sum, \\sum, asr #31\n"                                    \
    "    .endr\n"                                                                   \
    "    asr     r4, r4, r9\n"                                                      \
    "    asr     r5, r5, r9\n"                                                      \
    "    asr     r6, r6, r11\n"                                                     \
    "    asr     r7, r7, r11\n"                                                     \
    "    .irp    sum, r4, r5, r6, r7\n"                                             \
    "    add     \\sum, r12\n"                                                      \
    "    ssat    \\sum, #8, \\sum, asr #1\n"                                        \
    "    .endr\n"                                                                   \
    "    strb    r4, [r0], #1\n"                                                    \
    "    strb    r6, [r0], #1\n"                                                    \
    "    strb    r5, [r3], #1\n"                                                    \
    "    strb    r7, [r3], #1\n"                                                    \
    "    ldr     r4, [sp, #52]\n"                                                   \
    "    strd    r0, r3, [sp, #56]\n"                                               \
    "    cmp     r2, r4\n"                                                          \
    "    bne     1b\n"                                                              \
    "    add     sp, #16\n"                                                         \
    "    pop     {r4-r11, pc}\n"                                                    \
    ".size " name ", . - " name "\n"                                                \
    ".text\n"

__asm__(
    LW_BEGIN("lw_multiply_packed_s8_dsp")
    "    ldr.w   r12, [r1], #4\n"
    LW_PAIR("#0", "#8", "r4", "r5", "r8", "r9")
    LW_PAIR("#8", "#8", "r6", "r7", "r8", "r9")
    LW_PAIR("#16", "#8", "r4", "r5", "r10", "r11")
    LW_PAIR("#24", "#8", "r6", "r7", "r10", "r11")
    LW_END("lw_multiply_packed_s8_dsp"));

__asm__(
    LW_BEGIN("lw_multiply_packed_2bit_s8_dsp")
    "    ldrh.w  r12, [r1], #2\n"
    LW_PAIR("#0", "#4", "r4", "r5", "r8", "r9")
    LW_PAIR("#4", "#4", "r6", "r7", "r8", "r9")
    LW_PAIR("#8", "#4", "r4", "r5", "r10", "r11")
    LW_PAIR("#12", "#4", "r6", "r7", "r10", "r11")
    LW_END("lw_multiply_packed_2bit_s8_dsp"));

__asm__(
    LW_BEGIN("lw_multiply_packed_1bit_s8_dsp")
    "    ldrb.w  r12, [r1], #1\n"
    LW_PAIR("#0", "#2", "r4", "r5", "r8", "r9")
    LW_PAIR("#2", "#2", "r6", "r7", "r8", "r9")
    LW_PAIR("#4", "#2", "r4", "r5", "r10", "r11")
    LW_PAIR("#6", "#2", "r6", "r7", "r10", "r11")
    LW_END("lw_multiply_packed_1bit_s8_dsp"));

#else

static void lw_store(const int32_t sums[4], const lw_channel *channel, int32_t center, int8_t *output0,
                     int8_t *output1)
{
    for (int32_t i = 0; i < 2; i++) {
        output0[i] = lw_finish(sums[2 * i], channel[i].multiplier, channel[i].shift, center);
        output1[i] = lw_finish(sums[2 * i + 1], channel[i].multiplier, channel[i].shift, center);
    }
}

static void lw_pairs(const uint32_t *columns, const uint32_t *end, const uint32_t *codes, const lw_channel *channel,
                     const lw_channel *channel_end, int8_t *output0, int8_t *output1, int32_t center,
                     const uint32_t *pairs, uint32_t width)
{
    for (; channel != channel_end; channel += 2) {
        int32_t sums[4] = {channel[0].bias, channel[0].bias, channel[1].bias, channel[1].bias};
        uint32_t word = 0;
        uint32_t place = 0;
        for (const uint32_t *x = columns; x != end; x += 4) {
            if (place == 0u) {
                word = *codes++;
            }
            for (int32_t i = 0; i < 4; i++) {
                const uint32_t weights = pairs[word >> place & ((1u << width) - 1u)];
                int32_t *const sum = sums + 2 * (i & 1);
                sum[0] = lw_dot_lanes(x[i & 2], weights, sum[0]);
                sum[1] = lw_dot_lanes(x[(i & 2) + 1], weights, sum[1]);
                place += width;
            }
            place &= 31u;
        }
        lw_store(sums, channel, center, output0, output1);
        output0 += 2;
        output1 += 2;
    }
}

void lw_multiply_packed_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *codes,
                               const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                               int8_t *output1, int32_t center, const uint32_t *pairs)
{
    lw_pairs(columns, end, codes, channel, channel_end, output0, output1, center, pairs, 8);
}

void lw_multiply_packed_2bit_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *codes,
                                    const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                                    int8_t *output1, int32_t center, const uint32_t *pairs)
{
    lw_pairs(columns, end, codes, channel, channel_end, output0, output1, center, pairs, 4);
}

void lw_multiply_packed_1bit_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *codes,
                                    const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                                    int8_t *output1, int32_t center, const uint32_t *pairs)
{
    lw_pairs(columns, end, codes, channel, channel_end, output0, output1, center, pairs, 2);
}

#endif
