/* CONCATENATION and PACK, one input of them; SPLIT, SPLIT_V and UNPACK, one output: runs of bytes, evenly spaced.
 *
 *   output[output_offset + r * output_step + i] = in[input_offset + r * input_step + i]
 *
 * May write over what it has read: an output without gaps may start where the first run is read, or below.
 */
#include "kernels.h"

void lw_copy_s8(const lw_copy_params *params, const int8_t *input, int8_t *output)
{
    input += params->input_offset;
    output += params->output_offset;
    for (int32_t r = 0; r < params->runs; r++) {
        for (int32_t i = 0; i < params->run; i++) {
            output[i] = input[i];
        }
        input += params->input_step;
        output += params->output_step;
    }
}
