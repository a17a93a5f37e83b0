/* The matrix product behind the convolutions: two columns of taps (columns_s8_dsp.c) with pairs of output channels.
 *
 *   output_p[o] = clamp8(zo + rescale[o]( b[o] + sum over t of w[o, t] * columns[p, t] ))      p = 0, 1
 *
 * `weights` are, for each pair of channels and every four taps, the four bytes of each channel: 16 products for 14
 * instructions. Wide ones are 16-bit lanes in the order of the columns, (channel 0: t0, t2) (channel 1: t0, t2) (channel
 * 0: t1, t3) (channel 1: t1, t3): 16 products for 10 instructions, and twice the bytes. The steps fill all 14 registers
 * and load four at once, which no compiler does by itself: hence assembly, with the same in C for other targets. The
 * number of channels is even and not 0.
 */
#include "dsp.h"

#ifdef LW_DSP

/* r0 columns, r1 weights, r4-r7 sums (column 0 and 1 of channel 0, then of 1), r8-r11 four taps of both columns; on the
 * stack: columns, their end, the next channel, where the first round of four steps begins; from 52 on the arguments end
 * of the channels, output 0, output 1, center. */
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
    "    lsrs    r4, r4, #4\n"                                                      \
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
    "1:  ldr     r3, [sp, #4]\n"                                                    \
    "    ldr     r4, [r2]\n"                                                        \
    "    ldr     r6, [r2, #12]\n"                                                   \
    "    ldr     r0, [sp]\n"                                                        \
    "    mov     r5, r4\n"                                                          \
    "    mov     r7, r6\n"                                                          \
    "    ldr     pc, [sp, #12]\n"                                                   \
    "    .balign 4\n"                                                               \
    "2:\n"                                                                          \
    "    .rept 4\n"                                                                 \
    "    ldm.w   r0!, {r8-r11}\n"

/* r8 and r9, r10 and r11: multiplier and shift of each channel, r12 center */
#define LW_END(name)                                                                \
    "    bne     2b\n"                                                              \
    "    ldr     r2, [sp, #8]\n"                                                    \
    "    ldr     r12, [sp, #64]\n"                                                  \
    "    ldm     r2!, {r3, r8, r9}\n"                                               \
    "    ldm     r2!, {r3, r10, r11}\n"                                             \
    "    str     r2, [sp, #8]\n"                                                    \
    "    smmlar  r4, r4, r8, r4\n"                                                  \
    "    smmlar  r5, r5, r8, r5\n"                                                  \
    "    smmlar  r6, r6, r10, r6\n"                                                 \
    "    smmlar  r7, r7, r10, r7\n"                                                 \
    "    add     r4, r4, r4, asr #31\n"                                             \
    "    add     r5, r5, r5, asr #31\n"                                             \
    "    add     r6, r6, r6, asr #31\n"                                             \
    "    add     r7, r7, r7, asr #31\n"                                             \
    "    asr     r4, r4, r9\n"                                                      \
    "    asr     r5, r5, r9\n"                                                      \
    "    asr     r6, r6, r11\n"                                                     \
    "    asr     r7, r7, r11\n"                                                     \
    "    add     r4, r12\n"                                                         \
    "    add     r5, r12\n"                                                         \
    "    add     r6, r12\n"                                                         \
    "    add     r7, r12\n"                                                         \
    "    ldrd    r0, r3, [sp, #56]\n"                                               \
    "    ssat    r4, #8, r4, asr #1\n"                                              \
    "    ssat    r5, #8, r5, asr #1\n"                                              \
    "    ssat    r6, #8, r6, asr #1\n"                                              \
    "    ssat    r7, #8, r7, asr #1\n"                                              \
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

/* r2 one widened weight, r3 end of the columns, r12 and lr four bytes of each channel */
__asm__(
    LW_BEGIN("lw_multiply_s8_dsp", "56")
    "    ldrd    r12, lr, [r1], #8\n"
    "    sxtb16  r2, r12\n"
    "    smlad   r4, r8, r2, r4\n"
    "    smlad   r5, r9, r2, r5\n"
    "    sxtb16  r2, lr\n"
    "    smlad   r6, r8, r2, r6\n"
    "    smlad   r7, r9, r2, r7\n"
    "    sxtb16  r12, r12, ror #8\n"
    "    smlad   r4, r10, r12, r4\n"
    "    smlad   r5, r11, r12, r5\n"
    "    sxtb16  lr, lr, ror #8\n"
    "    smlad   r6, r10, lr, r6\n"
    "    smlad   r7, r11, lr, r7\n"
    "    .endr\n"
    "    cmp     r0, r3\n"
    LW_END("lw_multiply_s8_dsp"));

/* r2, r3, r12 and lr weights */
__asm__(
    LW_BEGIN("lw_multiply_wide_s8_dsp", "40")
    "    ldm.w   r1!, {r2, r3, r12, lr}\n"
    "    smlad   r4, r8, r2, r4\n"
    "    smlad   r5, r9, r2, r5\n"
    "    smlad   r6, r8, r3, r6\n"
    "    smlad   r7, r9, r3, r7\n"
    "    smlad   r4, r10, r12, r4\n"
    "    smlad   r5, r11, r12, r5\n"
    "    smlad   r6, r10, lr, r6\n"
    "    smlad   r7, r11, lr, r7\n"
    "    .endr\n"
    "    ldr     r3, [sp, #4]\n"
    "    cmp     r0, r3\n"
    LW_END("lw_multiply_wide_s8_dsp"));

#else

static void lw_store(const int32_t sums[4], const lw_channel *channel, int32_t center, int8_t *output0,
                     int8_t *output1)
{
    for (int32_t i = 0; i < 2; i++) {
        output0[i] = lw_finish(sums[2 * i], channel[i].multiplier, channel[i].shift, center);
        output1[i] = lw_finish(sums[2 * i + 1], channel[i].multiplier, channel[i].shift, center);
    }
}

void lw_multiply_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *weights,
                        const lw_channel *channel, const lw_channel *channel_end, int8_t *output0, int8_t *output1,
                        int32_t center)
{
    for (; channel != channel_end; channel += 2) {
        int32_t sums[4] = {channel[0].bias, channel[0].bias, channel[1].bias, channel[1].bias};
        for (const uint32_t *x = columns; x != end; x += 4) {
            for (int32_t i = 0; i < 4; i++) {
                const uint32_t w = weights[i >> 1];
                sums[i] = lw_dot_lanes(x[i & 1], lw_even(w), sums[i]);
                sums[i] = lw_dot_lanes(x[2 + (i & 1)], lw_odd(w), sums[i]);
            }
            weights += 2;
        }
        lw_store(sums, channel, center, output0, output1);
        output0 += 2;
        output1 += 2;
    }
}

void lw_multiply_wide_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *weights,
                             const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                             int8_t *output1, int32_t center)
{
    for (; channel != channel_end; channel += 2) {
        int32_t sums[4] = {channel[0].bias, channel[0].bias, channel[1].bias, channel[1].bias};
        for (const uint32_t *x = columns; x != end; x += 4) {
            for (int32_t i = 0; i < 4; i++) {
                sums[i] = lw_dot_lanes(x[i & 1], weights[i >> 1], sums[i]);
                sums[i] = lw_dot_lanes(x[2 + (i & 1)], weights[2 + (i >> 1)], sums[i]);
            }
            weights += 4;
        }
        lw_store(sums, channel, center, output0, output1);
        output0 += 2;
        output1 += 2;
    }
}

#endif
