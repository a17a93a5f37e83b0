/* BATCH_MATMUL, int16, with broadcasting of the batches; either matrix may be given turned.
 *
 *   output[b, r, c] = clamp(rescale( sum over k of left[b, r, k] * right[b, k, c] ))
 */
#include "kernels.h"

static void lw_matmul(const lw_batch_matmul_s16_params *params, const int16_t *left, const int16_t *right,
                      int16_t *output)
{
    const int32_t step_left = params->left_step;
    const int32_t step_right = params->right_step;
    for (int32_t row = 0; row < params->rows; row++) {
        const int16_t *column = right;
        for (int32_t c = 0; c < params->columns; c++) {
            const int16_t *a = left;
            const int16_t *b = column;
            int64_t sum = 0;
            for (int32_t k = 0; k < params->depth; k++) {
                const int32_t product = *a * *b;
                sum += product;
                a += step_left;
                b += step_right;
            }
            *output++ = lw_clamp_s16(lw_rescale_s64(sum, params->rescale), INT16_MIN, INT16_MAX);
            column += params->right_column;
        }
        left += params->left_row;
    }
}

void lw_batch_matmul_s16(const lw_batch_matmul_s16_params *params, const int16_t *left, const int16_t *right,
                         int16_t *output)
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
