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

void lw_fully_connected_s8(const lw_fully_connected_params *params, const int8_t *input, const int8_t *weights,
                           const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const int32_t depth = params->depth;
    const int32_t step = params->rescale_step;
    for (int32_t row = 0; row < params->rows; row++) {
        const int8_t *const end = input + depth;
        const int8_t *w0 = weights;
        const lw_rescale *scale = rescale;
        int32_t o = 0;
        for (; o + 4 <= params->outputs; o += 4) {
            const int8_t *w1 = w0 + depth;
            const int8_t *w2 = w1 + depth;
            const int8_t *w3 = w2 + depth;
            int32_t sum0 = bias[o];
            int32_t sum1 = bias[o + 1];
            int32_t sum2 = bias[o + 2];
            int32_t sum3 = bias[o + 3];
            for (const int8_t *in = input; in != end;) {
                const int32_t x = *in++;
                sum0 += x * *w0++;
                sum1 += x * *w1++;
                sum2 += x * *w2++;
                sum3 += x * *w3++;
            }
            w0 = w3;
            output[o] = lw_store(params, sum0, scale[0]);
            output[o + 1] = lw_store(params, sum1, scale[step]);
            output[o + 2] = lw_store(params, sum2, scale[2 * step]);
            output[o + 3] = lw_store(params, sum3, scale[3 * step]);
            scale += 4 * step;
        }
        for (; o < params->outputs; o++) {
            int32_t sum = bias[o];
            for (const int8_t *in = input; in != end;) {
                sum += *in++ * *w0++;
            }
            output[o] = lw_store(params, sum, *scale);
            scale += step;
        }
        input = end;
        output += params->outputs;
    }
}
