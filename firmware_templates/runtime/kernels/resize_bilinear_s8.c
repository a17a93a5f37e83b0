/* RESIZE_BILINEAR, int8; input and output share one scale and zero point.
 *
 *   output[y, x, c] = sum over two rows and two columns of weight * in[row, column, c] / 2^20, halves away from 0
 *   position = output position * scale + offset, in units of 2^-10; the rows and columns are those below and above it
 *
 * All four weights add up to 2^20.
 */
#include "kernels.h"

typedef struct {
    int32_t low, high;           /* positions in the input */
    int32_t weight_low, weight_high; /* of 1024 */
} lw_neighbours;

static lw_neighbours lw_around(int32_t position, int32_t size)
{
    lw_neighbours found;
    found.low = position < 0 ? 0 : position >> 10;
    found.high = position < 0 ? 0 : (position + 1023) >> 10;
    found.high = found.high < size - 1 ? found.high : size - 1;
    found.weight_high = position - 1024 * found.low;
    found.weight_low = 1024 - found.weight_high;
    return found;
}

void lw_resize_bilinear_s8(const lw_resize_params *params, const int8_t *input, int8_t *output)
{
    const int32_t channels = params->channels;
    for (int32_t y = 0; y < params->output_height; y++) {
        const lw_neighbours rows = lw_around(y * params->scale_y + params->offset_y, params->input_height);
        const int8_t *const low = input + rows.low * params->input_width * channels;
        const int8_t *const high = input + rows.high * params->input_width * channels;
        for (int32_t x = 0; x < params->output_width; x++) {
            const lw_neighbours columns = lw_around(x * params->scale_x + params->offset_x, params->input_width);
            const int32_t weight0 = rows.weight_low * columns.weight_low;
            const int32_t weight1 = rows.weight_low * columns.weight_high;
            const int32_t weight2 = rows.weight_high * columns.weight_low;
            const int32_t weight3 = rows.weight_high * columns.weight_high;
            const int32_t left = columns.low * channels;
            const int32_t right = columns.high * channels;
            for (int32_t c = 0; c < channels; c++) {
                const int32_t sum = low[left + c] * weight0 + low[right + c] * weight1 + high[left + c] * weight2 +
                                    high[right + c] * weight3;
                *output++ = (int8_t)lw_divide_by_power(sum, 20);
            }
        }
    }
}
