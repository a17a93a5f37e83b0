/* RELU6, int8, where input and output have the same scale and zero point.
 *
 *   output = min(max(in, low), high)
 *
 * May run in place.
 */
#include "kernels.h"

void lw_clamp_values_s8(const lw_clamp_params *params, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        output[i] = lw_clamp_s8(input[i], params->low, params->high);
    }
}
