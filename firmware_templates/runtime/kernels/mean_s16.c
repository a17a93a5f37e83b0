/* MEAN and SUM, int16, over one run of neighbouring dimensions.
 *
 *   output[o, i] = clamp(zo + ((sum over r of in[o, r, i]) - reduced * zi) * 2^left * multiplier / 2^31 / 2^right)
 *
 * rounded twice, as in requantize.h; for MEAN, `multiplier` carries the division by `reduced`. Four values at a time.
 */
#include "kernels.h"

static inline int16_t lw_store(const lw_mean_params *params, int32_t sum)
{
    const int32_t shifted = (int32_t)((uint32_t)(sum + params->offset) << params->left);
    const int32_t mean = lw_divide_by_power(lw_multiply_high(shifted, params->multiplier), params->right);
    return lw_clamp_s16(mean + params->output_zero_point, INT16_MIN, INT16_MAX);
}

void lw_mean_s16(const lw_mean_params *params, const int16_t *input, int16_t *output)
{
    const int32_t inner = params->inner;
    for (int32_t o = 0; o < params->outer; o++) {
        int32_t i = 0;
        for (; i + 4 <= inner; i += 4) {
            int32_t sum0 = 0;
            int32_t sum1 = 0;
            int32_t sum2 = 0;
            int32_t sum3 = 0;
            const int16_t *in = input + i;
            for (int32_t r = 0; r < params->reduced; r++) {
                sum0 += in[0];
                sum1 += in[1];
                sum2 += in[2];
                sum3 += in[3];
                in += inner;
            }
            output[i] = lw_store(params, sum0);
            output[i + 1] = lw_store(params, sum1);
            output[i + 2] = lw_store(params, sum2);
            output[i + 3] = lw_store(params, sum3);
        }
        for (; i < inner; i++) {
            int32_t sum = 0;
            const int16_t *in = input + i;
            for (int32_t r = 0; r < params->reduced; r++) {
                sum += *in;
                in += inner;
            }
            output[i] = lw_store(params, sum);
        }
        input += params->reduced * inner;
        output += inner;
    }
}
