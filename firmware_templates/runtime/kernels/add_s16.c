/* ADD and SUB, int16, with broadcasting.
 *
 *   output = clamp(zo + rescale_output( rescale_a((a - za) * 2^15) + sign_b * rescale_b((b - zb) * 2^15) ))
 *
 * May run in place of an input that is not broadcast.
 */
#include "kernels.h"

static void lw_add_row(const lw_add_params *params, const int16_t *a, const int16_t *b, int16_t *output)
{
    const int32_t zero_a = params->zero_point_a;
    const int32_t zero_b = params->zero_point_b;
    const int32_t sign_b = params->sign_b;
    const int32_t step_a = params->shape.stride_a[3];
    const int32_t step_b = params->shape.stride_b[3];
    const lw_rescale rescale_a = params->rescale_a;
    const lw_rescale rescale_b = params->rescale_b;
    const lw_rescale rescale_output = params->rescale_output;
    for (int32_t i = 0; i < params->shape.size[3]; i++) {
        const int32_t sum = lw_rescale_s32((*a - zero_a) * (INT32_C(1) << 15), rescale_a) +
                            sign_b * lw_rescale_s32((*b - zero_b) * (INT32_C(1) << 15), rescale_b);
        output[i] = lw_clamp_s16(lw_rescale_s32(sum, rescale_output) + params->output_zero_point,
                                params->activation_min, params->activation_max);
        a += step_a;
        b += step_b;
    }
}

void lw_add_s16(const lw_add_params *params, const int16_t *a, const int16_t *b, int16_t *output)
{
    const lw_broadcast *const shape = &params->shape;
    for (int32_t i = 0; i < shape->size[0]; i++) {
        for (int32_t j = 0; j < shape->size[1]; j++) {
            for (int32_t k = 0; k < shape->size[2]; k++) {
                lw_add_row(params, a + i * shape->stride_a[0] + j * shape->stride_a[1] + k * shape->stride_a[2],
                           b + i * shape->stride_b[0] + j * shape->stride_b[1] + k * shape->stride_b[2], output);
                output += shape->size[3];
            }
        }
    }
}
