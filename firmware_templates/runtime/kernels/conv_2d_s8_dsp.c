/* CONV_2D, int8, per-channel weights, with the multiplications of two 16-bit lanes of Armv7E-M.
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * (in[Y, X, i] - zi) ))
 *
 * as lw_conv_2d_s8. Two output positions are laid out side by side in `scratch` (columns_s8_dsp.c), then multiplied with
 * all channels, two at a time (multiply_s8_dsp.c). An odd last channel has a partner of zeros in the tables.
 */
#include "dsp.h"

/* A product of the columns with pairs of channels, and how many of the weights a word holds. */
typedef void lw_column_product(const uint32_t *columns, const uint32_t *end, const uint32_t *weights, const lw_channel *channel,
                        const lw_channel *channel_end, int8_t *output0, int8_t *output1, int32_t center);

static LW_INLINE void lw_positions(const lw_columns_params *params, lw_column_product *multiply, int32_t in_word,
                                   const int8_t *input, const uint32_t *weights, const lw_channel *channels,
                                   uint32_t *scratch, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t positions = window->output_height * window->output_width;
    const int32_t outputs = window->output_channels;
    const int32_t even = outputs & ~1;
    const int32_t weight_words = even * params->column_words / in_word; /* of the even channels */
    const int32_t last_pair = (positions - 1) & ~1;
    const uint32_t *const end = scratch + params->column_words;
    for (int32_t step = 0; step <= last_pair; step += 2) {
        const int32_t position = params->backward ? last_pair - step : step;
        int8_t *const first = output + position * outputs;
        int8_t *const second = position + 1 < positions ? first + outputs : first;
        lw_columns_s8_dsp(window, params->input_zero_point, input, position, scratch);
        if (even > 0) {
            multiply(scratch, end, weights, channels, channels + even, first, second, params->center);
        }
        if (even < outputs) {
            int8_t last[4];
            multiply(scratch, end, weights + weight_words, channels + even, channels + even + 2, last, last + 2,
                     params->center);
            first[even] = last[0];
            second[even] = last[2];
        }
    }
    lw_narrow(&params->clamp, output);
}

void lw_conv_2d_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *weights,
                       const lw_channel *channels, uint32_t *scratch, int8_t *output)
{
    lw_positions(params, lw_multiply_s8_dsp, 4, input, weights, channels, scratch, output);
}

void lw_conv_2d_wide_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *weights,
                            const lw_channel *channels, uint32_t *scratch, int8_t *output)
{
    lw_positions(params, lw_multiply_wide_s8_dsp, 2, input, weights, channels, scratch, output);
}
