/* The sums behind DEPTHWISE_CONV_2D at one output position, four channels at a time.
 *
 *   output[c] = clamp8(zo + rescale[c]( b[c] + sum over t of w[c, t] * input[taps[t] + c] ))
 *
 * `taps` lead to the channels under each tap of the window, in the input or in a row of zero points. `weights` are, for
 * every four channels and every tap, 16-bit lanes: (w0, w2) and (w1, w3). Four products for nine instructions. The
 * number of channels is a multiple of four and not 0. Assembly for the same reason as in multiply_s8_dsp.c.
 */
#include "dsp.h"

#ifdef LW_DSP

/* r0 taps, r1 weights, r2 input at the channel, r3 end of the taps, r4-r7 sums, r8-r10 inputs, r11 and r12 weights. */
__asm__(
    ".syntax unified\n"
    ".section .text.lw_multiply_taps_s8_dsp, \"ax\", %progbits\n"
    ".balign 4\n"
    ".global lw_multiply_taps_s8_dsp\n"
    ".type lw_multiply_taps_s8_dsp, %function\n"
    ".thumb\n"
    ".thumb_func\n"
    "lw_multiply_taps_s8_dsp:\n"
    "    push    {r4-r11, lr}\n"
    "    sub     sp, #16\n"              /* taps, end, -, entry */
    "    subs    r4, r1, r0\n"
    "    lsrs    r4, r4, #2\n"           /* taps */
    "    rsbs    r4, r4, #0\n"
    "    and     r4, r4, #3\n"           /* of the first round of four taps, so many are left out */
    "    movs    r5, #36\n"              /* bytes of code a tap */
    "    adr     r6, 2f\n"
    "    mla     r6, r4, r5, r6\n"
    "    orr     r6, r6, #1\n"
    "    strd    r0, r1, [sp]\n"
    "    str     r6, [sp, #12]\n"
    "    mov     r1, r3\n"
    "    ldr     lr, [sp, #52]\n"        /* channel constants */
    "1:  ldrd    r0, r3, [sp]\n"
    "    ldr     r4, [lr]\n"
    "    ldr     r5, [lr, #12]\n"
    "    ldr     r6, [lr, #24]\n"
    "    ldr     r7, [lr, #36]\n"
    "    ldr     pc, [sp, #12]\n"
    "    .balign 4\n"
    "2:\n"
    "    .rept 4\n"
    "    ldr     r8, [r0], #4\n"
    "    ldrd    r11, r12, [r1], #8\n"
    "    ldr     r8, [r8, r2]\n"
    "    sxtb16  r9, r8\n"
    "    sxtb16  r10, r8, ror #8\n"
    "    smlabb  r4, r9, r11, r4\n"
    "    smlabb  r5, r10, r12, r5\n"
    "    smlatt  r6, r9, r11, r6\n"
    "    smlatt  r7, r10, r12, r7\n"
    "    .endr\n"
    "    cmp     r0, r3\n"
    "    bne     2b\n"
    "    ldrd    r0, r3, [sp, #56]\n"    /* end of the channels, output */
    "    ldr     r12, [sp, #64]\n"       /* center */
    "    .irp    sum, r4, r5, r6, r7\n"
    "    ldm.w   lr!, {r8-r10}\n"        /* bias, multiplier, shift */
    "    smmlar  \\sum, \\sum, r9, \\sum\n"
    "    add     \\sum, \\sum, \\sum, asr #31\n"
    "    asr     \\sum, \\sum, r10\n"
    "    add     \\sum, r12\n"
    "    ssat    \\sum, #8, \\sum, asr #1\n"
    "    strb    \\sum, [r3], #1\n"
    "    .endr\n"
    "    adds    r2, #4\n"
    "    str     r3, [sp, #60]\n"
    "    cmp     lr, r0\n"
    "    bne     1b\n"
    "    add     sp, #16\n"
    "    pop     {r4-r11, pc}\n"
    ".size lw_multiply_taps_s8_dsp, . - lw_multiply_taps_s8_dsp\n"
    ".text\n");

#else

void lw_multiply_taps_s8_dsp(const uint32_t *taps, const uint32_t *end, const int8_t *input, const uint32_t *weights,
                             const lw_channel *channel, const lw_channel *channel_end, int8_t *output,
                             int32_t center)
{
    for (; channel != channel_end; input += 4) {
        int32_t sums[4] = {channel[0].bias, channel[1].bias, channel[2].bias, channel[3].bias};
        for (const uint32_t *tap = taps; tap != end; tap++) {
            const uint32_t word = lw_load_4(input + (int32_t)*tap);
            sums[0] = lw_dot_low(lw_even(word), weights[0], sums[0]);
            sums[1] = lw_dot_low(lw_odd(word), weights[1], sums[1]);
            sums[2] = lw_dot_high(lw_even(word), weights[0], sums[2]);
            sums[3] = lw_dot_high(lw_odd(word), weights[1], sums[3]);
            weights += 2;
        }
        for (int32_t i = 0; i < 4; i++) {
            *output++ = lw_finish(sums[i], channel->multiplier, channel->shift, center);
            channel++;
        }
    }
}

#endif
