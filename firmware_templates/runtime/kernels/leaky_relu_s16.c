/* LEAKY_RELU, int16.
 *
 *   output = clamp(rescale_above(in) where in >= 0, rescale_below(in) elsewhere)
 *
 * Both are computed, so that every input takes the same instructions. May run in place.
 */
#include "kernels.h"

void lw_leaky_relu_s16(const lw_leaky_relu_params *params, const int16_t *input, int16_t *output)
{
    const lw_rescale rescale_above = params->rescale_above;
    const lw_rescale rescale_below = params->rescale_below;
    for (int32_t i = 0; i < params->count; i++) {
        const int32_t above = lw_rescale_s32(input[i], rescale_above);
        const int32_t below = lw_rescale_s32(input[i], rescale_below);
        const int32_t negative = (int32_t)input[i] >> 31; /* all ones where the input is negative */
        output[i] = lw_clamp_s16(above ^ ((above ^ below) & negative), INT16_MIN, INT16_MAX);
    }
}
