/* BATCH_MATMUL, int8, with broadcasting of the batches; either matrix may be given turned.
 *
 *   output[b, r, c] = clamp(zo + rescale( sum over k of (left[b, r, k] - zl) * (right[b, k, c] - zr) ))
 */
#include "kernels.h"

static void lw_matmul(const lw_batch_matmul_params *params, const int8_t *left, const int8_t *right, int8_t *output)
{
    const int32_t zero_left = params->left_zero_point;
    const int32_t zero_right = params->right_zero_point;
    const int32_t step_left = params->left_step;
    const int32_t step_right = params->right_step;
    const lw_rescale rescale = params->rescale;
    for (int32_t row = 0; row < params->rows; row++) {
        const int8_t *column = right;
        for (int32_t c = 0; c < params->columns; c++) {
            const int8_t *a = left;
            const int8_t *b = column;
            int32_t sum = 0;
            for (int32_t k = 0; k < params->depth; k++) {
                sum += (*a - zero_left) * (*b - zero_right);
                a += step_left;
                b += step_right;
            }
            *output++ = lw_clamp_s8(lw_rescale_s32(sum, rescale) + params->output_zero_point, INT8_MIN, INT8_MAX);
            column += params->right_column;
        }
        left += params->left_row;
    }
}

void lw_batch_matmul_s8(const lw_batch_matmul_params *params, const int8_t *left, const int8_t *right, int8_t *output)
{
    const lw_broadcast *const batch = &params->batch;
    const int32_t left_size = params->rows * params->depth;
    const int32_t right_size = params->depth * params->columns;
    for (int32_t i = 0; i < batch->size[0]; i++) {
        for (int32_t j = 0; j < batch->size[1]; j++) {
            for (int32_t k = 0; k < batch->size[2]; k++) {
                for (int32_t l = 0; l < batch->size[3]; l++) {
                    const int32_t a = i * batch->stride_a[0] + j * batch->stride_a[1] + k * batch->stride_a[2] +
                                      l * batch->stride_a[3];
                    const int32_t b = i * batch->stride_b[0] + j * batch->stride_b[1] + k * batch->stride_b[2] +
                                      l * batch->stride_b[3];
                    lw_matmul(params, left + a * left_size, right + b * right_size, output);
                    output += params->rows * params->columns;
                }
            }
        }
    }
}
