/* SPACE_TO_BATCH_ND, int8, of one or two dimensions: every block_height-th row and block_width-th column together.
 *
 *   output[i * block_width + j, h, w, c] = in[h * block_height + i - top, w * block_width + j - left, c]
 *
 * or the zero point where that lies outside of the input.
 */
#include "kernels.h"

#include <stddef.h>

/* One row of the output: columns `first`, `first` + block_width and so on of a row of the input, NULL where outside. */
static int8_t *lw_take_row(const lw_blocks_params *params, const int8_t *row, int32_t first, int8_t *output)
{
    const int32_t channels = params->channels;
    for (int32_t w = 0; w < params->batch_width; w++) {
        const int32_t x = first + w * params->block_width;
        if (row != NULL && x >= 0 && x < params->width) {
            for (int32_t c = 0; c < channels; c++) {
                output[c] = row[x * channels + c];
            }
        } else {
            for (int32_t c = 0; c < channels; c++) {
                output[c] = (int8_t)params->value;
            }
        }
        output += channels;
    }
    return output;
}

void lw_space_to_batch_nd_s8(const lw_blocks_params *params, const int8_t *input, int8_t *output)
{
    const int32_t row_bytes = params->width * params->channels;
    for (int32_t i = 0; i < params->block_height; i++) {
        for (int32_t j = 0; j < params->block_width; j++) {
            for (int32_t h = 0; h < params->batch_height; h++) {
                const int32_t y = h * params->block_height + i - params->top;
                const int8_t *const row = y >= 0 && y < params->height ? input + y * row_bytes : NULL;
                output = lw_take_row(params, row, j - params->left, output);
            }
        }
    }
}
