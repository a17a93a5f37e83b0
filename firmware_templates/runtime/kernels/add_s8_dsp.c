/* ADD, int8, of two tensors of the same shape.
 *
 *   output = clamp8(clamp32(a * multiplier_a + offset + b * multiplier_b) / 2^22 rounded down)
 *
 * The generator finds three integers for which this is lw_add_s8's byte for each of the 65536 pairs of inputs, or
 * chooses another kernel. May run in place of an input.
 */
#include "dsp.h"

static inline int8_t lw_sum(const lw_sum_params *params, int32_t a, int32_t b)
{
    return (int8_t)lw_saturate_shifted(
        lw_add_saturating(a * params->multiplier_a + params->offset, b * params->multiplier_b));
}

void lw_add_s8_dsp(const lw_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const lw_sum_params sum = *params;
    int32_t i = 0;
    for (; i + 4 <= sum.clamp.count; i += 4) {
        const uint32_t word_a = lw_load_4(a + i);
        const uint32_t word_b = lw_load_4(b + i);
        output[i] = lw_sum(&sum, (int8_t)(word_a & 0xffu), (int8_t)(word_b & 0xffu));
        output[i + 1] = lw_sum(&sum, (int8_t)(word_a >> 8 & 0xffu), (int8_t)(word_b >> 8 & 0xffu));
        output[i + 2] = lw_sum(&sum, (int8_t)(word_a >> 16 & 0xffu), (int8_t)(word_b >> 16 & 0xffu));
        output[i + 3] = lw_sum(&sum, (int8_t)(word_a >> 24), (int8_t)(word_b >> 24));
    }
    for (; i < sum.clamp.count; i++) {
        output[i] = lw_sum(&sum, a[i], b[i]);
    }
    lw_narrow(&params->clamp, output);
}
