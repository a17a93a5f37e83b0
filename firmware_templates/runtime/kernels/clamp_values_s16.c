/* RELU6, int16, where input and output have the same scale and zero point.
 *
 *   output = min(max(in, low), high)
 *
 * May run in place.
 */
#include "kernels.h"

void lw_clamp_values_s16(const lw_clamp_params *params, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        output[i] = lw_clamp_s16(input[i], params->low, params->high);
    }
}
