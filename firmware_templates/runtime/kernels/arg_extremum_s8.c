/* ARG_MAX and ARG_MIN along one dimension, int8 to int32.
 *
 *   output[o, i] = the first r whose in[o, r, i] is the largest, or the smallest where params->minimum is 1
 *
 * An index is written as four bytes, the lowest first. Without branches on the data.
 */
#include "kernels.h"

void lw_arg_extremum_s8(const lw_reduce_params *params, const int8_t *input, int8_t *output)
{
    const int32_t minimum = -params->minimum;
    const int32_t inner = params->inner;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t i = 0; i < inner; i++) {
            const int8_t *in = input + i;
            int32_t found = *in ^ minimum; /* -1 - x where the smallest is wanted */
            int32_t index = 0;
            for (int32_t r = 1; r < params->reduced; r++) {
                in += inner;
                const int32_t difference = found - (*in ^ minimum);
                const int32_t larger = difference >> 31;
                found -= difference & larger;
                index ^= (index ^ r) & larger;
            }
            for (int32_t byte = 0; byte < 4; byte++) {
                *output++ = (int8_t)(index >> (8 * byte));
            }
        }
        input += params->reduced * inner;
    }
}
