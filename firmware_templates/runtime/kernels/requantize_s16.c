/* QUANTIZE to or from int16, and RELU of int16: another scale, zero point or type, then a clamp.
 *
 *   output = clamp(zo + rescale(in - zi))
 *
 * May run in place where the output's values are not wider than the input's.
 */
#include "kernels.h"

static LW_INLINE int32_t lw_value(const lw_requantize_params *params, int32_t in)
{
    return lw_rescale_s32(in - params->input_zero_point, params->rescale) + params->output_zero_point;
}

void lw_requantize_s16(const lw_requantize_params *params, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        output[i] = lw_clamp_s16(lw_value(params, input[i]), params->activation_min, params->activation_max);
    }
}

void lw_requantize_s8_s16(const lw_requantize_params *params, const int8_t *input, int16_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        output[i] = lw_clamp_s16(lw_value(params, input[i]), params->activation_min, params->activation_max);
    }
}

void lw_requantize_s16_s8(const lw_requantize_params *params, const int16_t *input, int8_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        output[i] = lw_clamp_s8(lw_value(params, input[i]), params->activation_min, params->activation_max);
    }
}
