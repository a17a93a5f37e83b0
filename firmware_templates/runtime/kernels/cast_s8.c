/* CAST from one signed integer type to another, values as bytes with the lowest first.
 *
 *   output[i] = in[i], cut off or with its sign repeated
 */
#include "kernels.h"

void lw_cast_s8(const lw_cast_params *params, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < params->count; i++) {
        const int8_t sign = (int8_t)(input[params->input_bytes - 1] < 0 ? -1 : 0);
        for (int32_t byte = 0; byte < params->output_bytes; byte++) {
            if (byte < params->input_bytes) {
                output[byte] = input[byte];
            } else {
                output[byte] = sign;
            }
        }
        input += params->input_bytes;
        output += params->output_bytes;
    }
}
