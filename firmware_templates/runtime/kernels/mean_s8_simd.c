/* MEAN, int8, over one run of neighbouring dimensions, sixteen values at a time.
 *
 *   output[o, i] = clamp(zo + ((sum over r of in[o, r, i]) - reduced * zi) * 2^left * multiplier / 2^31 / 2^right)
 *
 * as lw_mean_s8. Loops of a fixed length, which a compiler turns into vectors.
 */
#include "simd.h"

void lw_mean_s8_simd(const lw_mean_params *params, const int8_t *input, int8_t *output)
{
    const int32_t inner = params->inner;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t first = 0; first < inner; first += LW_LANES) {
            int32_t sums[LW_LANES] = {0};
            for (int32_t r = 0; r < params->reduced; r++) {
                lw_add_bytes(input + r * inner + first, inner - first, sums);
            }
            int8_t bytes[LW_LANES];
            for (int32_t i = 0; i < LW_LANES; i++) {
                const int32_t shifted = (int32_t)((uint32_t)(sums[i] + params->offset) << params->left);
                const int32_t mean = lw_divide_by_power(lw_multiply_high(shifted, params->multiplier), params->right);
                bytes[i] = lw_clamp_s8(mean + params->output_zero_point, INT8_MIN, INT8_MAX);
            }
            lw_put_bytes(bytes, inner - first, output + first);
        }
        input += params->reduced * inner;
        output += inner;
    }
}
