/* MUL, int16, with broadcasting.
 *
 *   output = clamp(zo + rescale((a - za) * (b - zb)))
 *
 * May run in place of an input that is not broadcast.
 */
#include "kernels.h"

static void lw_mul_row(const lw_mul_params *params, const int16_t *a, const int16_t *b, int16_t *output)
{
    const int32_t zero_a = params->zero_point_a;
    const int32_t zero_b = params->zero_point_b;
    const int32_t step_a = params->shape.stride_a[3];
    const int32_t step_b = params->shape.stride_b[3];
    const lw_rescale rescale = params->rescale;
    for (int32_t i = 0; i < params->shape.size[3]; i++) {
        output[i] = lw_clamp_s16(lw_rescale_s32((*a - zero_a) * (*b - zero_b), rescale) + params->output_zero_point,
                                params->activation_min, params->activation_max);
        a += step_a;
        b += step_b;
    }
}

void lw_mul_s16(const lw_mul_params *params, const int16_t *a, const int16_t *b, int16_t *output)
{
    const lw_broadcast *const shape = &params->shape;
    for (int32_t i = 0; i < shape->size[0]; i++) {
        for (int32_t j = 0; j < shape->size[1]; j++) {
            for (int32_t k = 0; k < shape->size[2]; k++) {
                lw_mul_row(params, a + i * shape->stride_a[0] + j * shape->stride_a[1] + k * shape->stride_a[2],
                           b + i * shape->stride_b[0] + j * shape->stride_b[1] + k * shape->stride_b[2], output);
                output += shape->size[3];
            }
        }
    }
}
