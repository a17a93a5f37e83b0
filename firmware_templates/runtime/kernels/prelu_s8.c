/* PRELU, int8, with broadcasting of the slopes.
 *
 *   output = clamp(zo + rescale_positive(in - zi))                        where in >= zi
 *   output = clamp(zo + rescale_negative((in - zi) * (alpha - za)))       elsewhere
 *
 * May run in place of an input that is not broadcast. Both are computed and one is taken, without branches on the data.
 */
#include "kernels.h"

static void lw_prelu_row(const lw_prelu_params *params, const int8_t *input, const int8_t *alpha, int8_t *output)
{
    const int32_t step_input = params->shape.stride_a[3];
    const int32_t step_alpha = params->shape.stride_b[3];
    const lw_rescale rescale_positive = params->rescale_positive;
    const lw_rescale rescale_negative = params->rescale_negative;
    for (int32_t i = 0; i < params->shape.size[3]; i++) {
        const int32_t x = *input - params->input_zero_point;
        const int32_t positive = lw_rescale_s32(x, rescale_positive);
        const int32_t negative = lw_rescale_s32(x * (*alpha - params->alpha_zero_point), rescale_negative);
        const int32_t taken = positive ^ ((positive ^ negative) & (x >> 31));
        output[i] = lw_clamp_s8(taken + params->output_zero_point, INT8_MIN, INT8_MAX);
        input += step_input;
        alpha += step_alpha;
    }
}

void lw_prelu_s8(const lw_prelu_params *params, const int8_t *input, const int8_t *alpha, int8_t *output)
{
    const lw_broadcast *const shape = &params->shape;
    for (int32_t i = 0; i < shape->size[0]; i++) {
        for (int32_t j = 0; j < shape->size[1]; j++) {
            for (int32_t k = 0; k < shape->size[2]; k++) {
                lw_prelu_row(params, input + i * shape->stride_a[0] + j * shape->stride_a[1] + k * shape->stride_a[2],
                             alpha + i * shape->stride_b[0] + j * shape->stride_b[1] + k * shape->stride_b[2], output);
                output += shape->size[3];
            }
        }
    }
}
