/* MAXIMUM and MINIMUM, int16, with broadcasting; both inputs and the output share one scale and zero point.
 *
 *   output = the larger of a and b, or the smaller where params->minimum is 1
 *
 * May run in place of an input that is not broadcast. Without branches on the data.
 */
#include "kernels.h"

static void lw_extremum_row(const lw_extremum_params *params, const int16_t *a, const int16_t *b, int16_t *output)
{
    const int32_t step_a = params->shape.stride_a[3];
    const int32_t step_b = params->shape.stride_b[3];
    const int32_t minimum = -params->minimum;
    for (int32_t i = 0; i < params->shape.size[3]; i++) {
        const int32_t difference = *a - *b;
        const int32_t take_b = (difference >> 31) ^ minimum; /* all ones: b is the one wanted, or equal */
        output[i] = (int16_t)(*a - (difference & take_b));
        a += step_a;
        b += step_b;
    }
}

void lw_extremum_s16(const lw_extremum_params *params, const int16_t *a, const int16_t *b, int16_t *output)
{
    const lw_broadcast *const shape = &params->shape;
    for (int32_t i = 0; i < shape->size[0]; i++) {
        for (int32_t j = 0; j < shape->size[1]; j++) {
            for (int32_t k = 0; k < shape->size[2]; k++) {
                lw_extremum_row(params, a + i * shape->stride_a[0] + j * shape->stride_a[1] + k * shape->stride_a[2],
                                b + i * shape->stride_b[0] + j * shape->stride_b[1] + k * shape->stride_b[2], output);
                output += shape->size[3];
            }
        }
    }
}
