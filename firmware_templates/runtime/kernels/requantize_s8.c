/* QUANTIZE from int8 to int8, and RELU: another scale and zero point, then a clamp.
 *
 *   output = clamp(zo + rescale(in - zi))
 *
 * May run in place.
 */
#include "kernels.h"

void lw_requantize_s8(const lw_requantize_params *params, const int8_t *input, int8_t *output)
{
    const lw_rescale rescale = params->rescale;
    for (int32_t i = 0; i < params->count; i++) {
        output[i] = lw_clamp_s8(lw_rescale_s32(input[i] - params->input_zero_point, rescale) +
                                    params->output_zero_point,
                                params->activation_min, params->activation_max);
    }
}
