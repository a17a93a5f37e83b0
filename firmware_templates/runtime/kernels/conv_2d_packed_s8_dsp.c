/* CONV_2D, int8, with weights of at most 16, 4 or 2 values, stored in 4, 2 or 1 bits, on Armv7E-M.
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * (in[Y, X, i] - zi) ))
 *
 * as lw_conv_2d_s8. Two output positions are laid out side by side in `scratch` (columns_s8_dsp.c), then multiplied with
 * all channels, two at a time, whose weights come from codes (multiply_packed_s8_dsp.c). An odd last channel has a
 * partner in the tables.
 */
#include "packed_dsp.h"

/* A product of the columns with pairs of channels. */
typedef void lw_packed_product(const uint32_t *columns, const uint32_t *end, const uint32_t *codes, const lw_channel *channel,
                        const lw_channel *channel_end, int8_t *output0, int8_t *output1, int32_t center,
                        const uint32_t *pairs);

/* `in_word`: of every four taps of two channels, the codes that a word holds. */
static LW_INLINE void lw_positions(const lw_columns_params *params, lw_packed_product *multiply, int32_t in_word,
                                   const int8_t *input, const uint32_t *codes, const uint32_t *pairs,
                                   const lw_channel *channels, uint32_t *scratch, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t positions = window->output_height * window->output_width;
    const int32_t outputs = window->output_channels;
    const int32_t even = outputs & ~1;
    const int32_t code_words = even / 2 * ((params->column_words / 4 + in_word - 1) / in_word); /* of the even channels */
    const int32_t last_pair = (positions - 1) & ~1;
    const uint32_t *const end = scratch + params->column_words;
    for (int32_t step = 0; step <= last_pair; step += 2) {
        const int32_t position = params->backward ? last_pair - step : step;
        int8_t *const first = output + position * outputs;
        int8_t *const second = position + 1 < positions ? first + outputs : first;
        lw_columns_s8_dsp(window, params->input_zero_point, input, position, scratch);
        if (even > 0) {
            multiply(scratch, end, codes, channels, channels + even, first, second, params->center, pairs);
        }
        if (even < outputs) {
            int8_t last[4];
            multiply(scratch, end, codes + code_words, channels + even, channels + even + 2, last, last + 2,
                     params->center, pairs);
            first[even] = last[0];
            second[even] = last[2];
        }
    }
    lw_narrow(&params->clamp, output);
}

void lw_conv_2d_packed_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *codes,
                              const uint32_t *pairs, const lw_channel *channels, uint32_t *scratch, int8_t *output)
{
    lw_positions(params, lw_multiply_packed_s8_dsp, 1, input, codes, pairs, channels, scratch, output);
}

void lw_conv_2d_packed_2bit_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *codes,
                                   const uint32_t *pairs, const lw_channel *channels, uint32_t *scratch,
                                   int8_t *output)
{
    lw_positions(params, lw_multiply_packed_2bit_s8_dsp, 2, input, codes, pairs, channels, scratch, output);
}

void lw_conv_2d_packed_1bit_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *codes,
                                   const uint32_t *pairs, const lw_channel *channels, uint32_t *scratch,
                                   int8_t *output)
{
    lw_positions(params, lw_multiply_packed_1bit_s8_dsp, 4, input, codes, pairs, channels, scratch, output);
}
