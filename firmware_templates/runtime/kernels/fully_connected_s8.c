/* FULLY_CONNECTED, int8, weights per tensor or per output.
 *
 *   output[r, o] = clamp(zo + rescale[o]( b[o] + sum over i of w[o, i] * (in[r, i] - zi) ))
 *
 * `bias` holds b[o] - zi * sum(w[o]), so that the inner loop multiplies raw bytes. Four outputs at a time.
 */
#include "kernels.h"

static inline int8_t lw_store(const lw_fully_connected_params *params, int32_t sum, lw_rescale rescale)
{
    return lw_clamp_s8(lw_rescale_s32(sum, rescale) + params->output_zero_point, params->activation_min,
                       params->activation_max);
}

/* Adds the products of one input with four weight rows, `count` bytes apart. A function of its own, so that all it works
 * with stays in registers; assembly where there are eight, as in conv_2d_s8.c. */
#ifdef LW_FEW_REGISTERS

void lw_dot_4(const int8_t *in, const int8_t *w0, int32_t count, int32_t sums[4]);

/* r0 end of the input, r1, r3, r4 and r5 of the weights, r6 from -count to 0, r8-r11 sums */
__asm__(
    ".syntax unified\n"
    ".section .text.lw_dot_4, \"ax\", %progbits\n"
    ".balign 4\n"
    ".type lw_dot_4, %function\n"
    ".thumb\n"
    ".thumb_func\n"
    "lw_dot_4:\n"
    "    push    {r4-r7, lr}\n"
    "    mov     r4, r8\n"
    "    mov     r5, r9\n"
    "    mov     r6, r10\n"
    "    mov     r7, r11\n"
    "    push    {r4-r7}\n"
    "    push    {r3}\n"
    "    ldm     r3!, {r4-r7}\n"
    "    mov     r8, r4\n"
    "    mov     r9, r5\n"
    "    mov     r10, r6\n"
    "    mov     r11, r7\n"
    "    adds    r0, r0, r2\n"
    "    adds    r1, r1, r2\n"
    "    adds    r3, r1, r2\n"
    "    adds    r4, r3, r2\n"
    "    adds    r5, r4, r2\n"
    "    rsbs    r6, r2, #0\n"
    "    beq     2f\n"
    "1:  ldrsb   r7, [r0, r6]\n"
    "    ldrsb   r2, [r1, r6]\n"
    "    muls    r2, r7, r2\n"
    "    add     r8, r2\n"
    "    ldrsb   r2, [r3, r6]\n"
    "    muls    r2, r7, r2\n"
    "    add     r9, r2\n"
    "    ldrsb   r2, [r4, r6]\n"
    "    muls    r2, r7, r2\n"
    "    add     r10, r2\n"
    "    ldrsb   r2, [r5, r6]\n"
    "    muls    r7, r2, r7\n"
    "    add     r11, r7\n"
    "    adds    r6, r6, #1\n"
    "    bne     1b\n"
    "2:  pop     {r3}\n"
    "    mov     r4, r8\n"
    "    mov     r5, r9\n"
    "    mov     r6, r10\n"
    "    mov     r7, r11\n"
    "    stm     r3!, {r4-r7}\n"
    "    pop     {r4-r7}\n"
    "    mov     r8, r4\n"
    "    mov     r9, r5\n"
    "    mov     r10, r6\n"
    "    mov     r11, r7\n"
    "    pop     {r4-r7, pc}\n"
    ".size lw_dot_4, . - lw_dot_4\n"
    ".text\n");

#else

static LW_NOINLINE void lw_dot_4(const int8_t *in, const int8_t *w0, int32_t count, int32_t sums[4])
{
    const int8_t *w1 = w0 + count;
    const int8_t *w2 = w1 + count;
    const int8_t *w3 = w2 + count;
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    int32_t sum2 = sums[2];
    int32_t sum3 = sums[3];
#define LW_STEP                 \
    do {                        \
        const int32_t x = *in++; \
        sum0 += x * *w0++;      \
        sum1 += x * *w1++;      \
        sum2 += x * *w2++;      \
        sum3 += x * *w3++;      \
    } while (0)
    const int8_t *end = in + (count & ~3);
    while (in != end) {
        LW_STEP;
        LW_STEP;
        LW_STEP;
        LW_STEP;
    }
    end = in + (count & 3);
    while (in != end) {
        LW_STEP;
    }
#undef LW_STEP
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

#endif

void lw_fully_connected_s8(const lw_fully_connected_params *params, const int8_t *input, const int8_t *weights,
                           const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; row++) {
        const int8_t *w = weights;
        const lw_rescale *scale = rescale;
        int32_t o = 0;
        for (; o + 4 <= params->outputs; o += 4) {
            int32_t sums[4] = {bias[o], bias[o + 1], bias[o + 2], bias[o + 3]};
            lw_dot_4(input, w, depth, sums);
            for (int32_t i = 0; i < 4; i++) {
                output[o + i] = lw_store(params, sums[i], *scale);
                scale += params->rescale_step;
            }
            w += 4 * depth;
        }
        for (; o < params->outputs; o++) {
            int32_t sum = bias[o];
            for (int32_t i = 0; i < depth; i++) {
                sum += input[i] * *w++;
            }
            output[o] = lw_store(params, sum, *scale);
            scale += params->rescale_step;
        }
        input += depth;
        output += params->outputs;
    }
}
