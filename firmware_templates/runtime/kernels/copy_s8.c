/* CONCATENATION, one input of it: runs of bytes to evenly spaced places.
 *
 *   output[output_offset + r * output_step + i] = in[r * run + i]
 */
#include "kernels.h"

void lw_copy_s8(const lw_copy_params *params, const int8_t *input, int8_t *output)
{
    output += params->output_offset;
    for (int32_t r = 0; r < params->runs; r++) {
        for (int32_t i = 0; i < params->run; i++) {
            output[i] = input[i];
        }
        input += params->run;
        output += params->output_step;
    }
}
