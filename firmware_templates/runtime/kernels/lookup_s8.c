/* LOGISTIC, TANH, HARD_SWISH and LEAKY_RELU, int8: the output byte is a function of the input byte, tabulated when the
 * code is generated.
 *
 *   output[i] = table[in[i] as an unsigned byte]
 *
 * May run in place.
 */
#include "kernels.h"

void lw_lookup_s8(const lw_lookup_params *params, const int8_t *input, const int8_t *table, int8_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        output[i] = table[(uint8_t)input[i]];
    }
}
