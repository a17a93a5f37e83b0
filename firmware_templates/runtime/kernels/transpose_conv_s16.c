/* TRANSPOSE_CONV, int16 with int8 weights per channel and int64 biases.
 *
 *   output[y, x, o] = clamp(rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * in[Y, X, i] ))
 *   Y * stride_y = y + pad_top - r,  X * stride_x = x + pad_left - c,  for the r and c that give a place of the input
 *
 * The window is that of the convolution which this one turns around, as in transpose_conv_s8.c.
 */
#include "kernels.h"

static int64_t lw_dot(const int16_t *input, const int8_t *weights, int32_t count)
{
    int64_t sum = 0;
    while (count > 0) {
        const int32_t part = count < LW_EXACT ? count : LW_EXACT;
        const int16_t *const end = input + part;
        int32_t exact = 0;
        while (input != end) {
            exact += *input++ * *weights++;
        }
        sum += exact;
        count -= part;
    }
    return sum;
}

/* One output position: all channels. */
static void lw_gather(const lw_convolution_params *params, lw_reach rows, lw_reach columns, const int16_t *input,
                      const int8_t *weights, const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->output_channels;
    const int32_t row_size = window->filter_width * depth;
    const int32_t row_values = window->output_width * depth;
    for (int32_t channel = 0; channel < window->input_channels; channel++) {
        const int8_t *w_row = weights + rows.tap * row_size + columns.tap * depth;
        const int16_t *in_row = input + rows.place * row_values + columns.place * depth;
        int64_t sum = bias[channel];
        for (int32_t r = 0; r < rows.count; r++) {
            const int8_t *w = w_row;
            const int16_t *in = in_row;
            for (int32_t c = 0; c < columns.count; c++) {
                sum += lw_dot(in, w, depth);
                w += window->stride_x * depth;
                in -= depth;
            }
            w_row += window->stride_y * row_size;
            in_row -= row_values;
        }
        output[channel] =
            lw_clamp_s16(lw_rescale_s64(sum, rescale[channel]), params->activation_min, params->activation_max);
        weights += window->filter_height * row_size;
    }
}

void lw_transpose_conv_s16(const lw_convolution_params *params, const int16_t *input, const int8_t *weights,
                           const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
{
    const lw_window *const window = &params->window;
    for (int32_t y = 0; y < window->input_height; y++) {
        const lw_reach rows =
            lw_reaching(y + window->pad_top, window->stride_y, window->filter_height, window->output_height);
        for (int32_t x = 0; x < window->input_width; x++) {
            const lw_reach columns =
                lw_reaching(x + window->pad_left, window->stride_x, window->filter_width, window->output_width);
            lw_gather(params, rows, columns, input, weights, bias, rescale, output);
            output += window->input_channels;
        }
    }
}
