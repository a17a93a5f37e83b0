/* ABS, int16: output[i] = clamp(rescale(|in[i]|)). */
#include "kernels.h"

void lw_abs_s16(const lw_abs_params *params, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        const int32_t magnitude = input[i] < 0 ? -input[i] : input[i];
        output[i] = lw_clamp_s16(lw_rescale_s32(magnitude, params->rescale), INT16_MIN, INT16_MAX);
    }
}
