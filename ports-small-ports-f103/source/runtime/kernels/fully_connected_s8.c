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
 * with stays in registers. */
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
