/* BATCH_TO_SPACE_ND, int8, of one or two dimensions: rows and columns back to where SPACE_TO_BATCH_ND took them from.
 *
 *   output[y, x, c] = in[i * block_width + j, h, w, c]
 *   y + top = h * block_height + i,  x + left = w * block_width + j
 */
#include "kernels.h"

void lw_batch_to_space_nd_s8(const lw_blocks_params *params, const int8_t *input, int8_t *output)
{
    const int32_t channels = params->channels;
    const int32_t row_bytes = params->batch_width * channels;
    const int32_t batch_bytes = params->batch_height * row_bytes;
    for (int32_t y = params->top; y < params->top + params->height; y++) {
        const int32_t i = y % params->block_height;
        const int8_t *const rows =
            input + i * params->block_width * batch_bytes + y / params->block_height * row_bytes;
        for (int32_t x = params->left; x < params->left + params->width; x++) {
            const int8_t *const from =
                rows + x % params->block_width * batch_bytes + x / params->block_width * channels;
            for (int32_t c = 0; c < channels; c++) {
                output[c] = from[c];
            }
            output += channels;
        }
    }
}
