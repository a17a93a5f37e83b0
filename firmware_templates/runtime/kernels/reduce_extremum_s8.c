/* REDUCE_MAX and REDUCE_MIN over neighbouring dimensions, int8; input and output share one scale and zero point.
 *
 *   output[o, i] = the largest in[o, r, i] over r, or the smallest where params->minimum is 1
 *
 * May write over what it has read: the output may start where the input does, or below. Without branches on the data.
 */
#include "kernels.h"

void lw_reduce_extremum_s8(const lw_reduce_params *params, const int8_t *input, int8_t *output)
{
    const int32_t minimum = -params->minimum;
    const int32_t inner = params->inner;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t i = 0; i < inner; i++) {
            const int8_t *in = input + i;
            int32_t found = *in;
            for (int32_t r = 1; r < params->reduced; r++) {
                in += inner;
                const int32_t difference = found - *in;
                found -= difference & ((difference >> 31) ^ minimum);
            }
            *output++ = (int8_t)found;
        }
        input += params->reduced * inner;
    }
}
