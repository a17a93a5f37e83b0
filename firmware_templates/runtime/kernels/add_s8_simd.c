/* ADD, int8, of two tensors of the same shape, in loops of a fixed length, which a compiler turns into vectors.
 *
 *   output = clamp((a * multiplier_a + offset + b * multiplier_b) / 2^22 rounded down)
 *
 * as lw_add_s8_dsp. Half of the sum of two numbers is formed without their sum, which may have 33 bits. May run in place
 * of an input.
 */
#include "simd.h"

#define LW_TOGETHER 32

static LW_INLINE int8_t lw_sum(const lw_simd_sum_params *params, int32_t a, int32_t b)
{
    const int32_t one = a * params->multiplier_a + params->offset;
    const int32_t other = b * params->multiplier_b;
    const int32_t half = (one & other) + ((one ^ other) >> 1);
    return lw_clamp_s8(half >> 21, params->low, params->high);
}

void lw_add_s8_simd(const lw_simd_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const lw_simd_sum_params sum = *params;
    int32_t first = 0;
    for (; first + LW_TOGETHER <= sum.count; first += LW_TOGETHER) {
        int8_t sums[LW_TOGETHER];
        for (int32_t i = 0; i < LW_TOGETHER; i++) {
            sums[i] = lw_sum(&sum, a[first + i], b[first + i]);
        }
        for (int32_t i = 0; i < LW_TOGETHER; i++) {
            output[first + i] = sums[i];
        }
    }
    for (; first < sum.count; first++) {
        output[first] = lw_sum(&sum, a[first], b[first]);
    }
}
