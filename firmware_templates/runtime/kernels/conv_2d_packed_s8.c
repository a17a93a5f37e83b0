/* CONV_2D, int8, with weights of at most 16, 4 or 2 values, stored in 4, 2 or 1 bits; a FULLY_CONNECTED is one of its
 * vectors as positions.
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * (in[Y, X, i] - zi) ))
 *   w[o, r, c, i] = levels[code[o, r, c, i]]
 *
 * as lw_conv_2d_s8, which does the arithmetic. Some positions at a time, the taps under their windows are laid out in
 * `scratch`, zero points where they lie outside; then some channels at a time are unpacked behind them, and what remains
 * is a convolution of a single tap, whose outputs are put in place.
 */
#include "packed.h"

/* The levels of `count` codes, and up to seven more, that fill the last byte. */
static LW_INLINE void lw_unpack_bits(const uint8_t *codes, uint32_t bits, const int8_t *levels, int32_t count,
                                     int8_t *weights)
{
    const uint32_t mask = (1u << bits) - 1u;
    const int8_t *const end = weights + count;
    while (weights < end) {
        const uint32_t byte = *codes++;
        for (uint32_t place = 0; place < 8u; place += bits) {
            *weights++ = levels[byte >> place & mask];
        }
    }
}

/* `rows` channels of `count` weights; where the codes of the next one begin. */
static LW_NOINLINE const uint8_t *lw_unpack(const uint8_t *codes, int32_t bits, const int8_t *levels, int32_t rows,
                                            int32_t count, int8_t *weights)
{
    for (; rows > 0; rows--) {
        if (bits == 4) {
            lw_unpack_bits(codes, 4, levels, count, weights);
        } else if (bits == 2) {
            lw_unpack_bits(codes, 2, levels, count, weights);
        } else {
            lw_unpack_bits(codes, 1, levels, count, weights);
        }
        weights += count;
        codes += (count * bits + 7) / 8;
    }
    return codes;
}

/* The taps under the window at one output position; where the next column begins. */
static LW_NOINLINE int8_t *lw_column(const lw_convolution_params *params, const int8_t *input, int32_t position,
                                     int8_t *column)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t row = position / window->output_width;
    const int32_t top = row * window->stride_y - window->pad_top;
    const int32_t left = (position - row * window->output_width) * window->stride_x - window->pad_left;
    for (int32_t r = 0; r < window->filter_height; r++) {
        const int32_t y = top + r * window->dilation_y;
        for (int32_t c = 0; c < window->filter_width; c++) {
            const int32_t x = left + c * window->dilation_x;
            const int8_t *const end = column + channels;
            if (y >= 0 && y < window->input_height && x >= 0 && x < window->input_width) {
                const int8_t *in = input + (y * window->input_width + x) * channels;
                while (column != end) {
                    *column++ = *in++;
                }
            } else {
                while (column != end) {
                    *column++ = (int8_t)params->input_zero_point;
                }
            }
        }
    }
    return column;
}

/* Puts the outputs of `window`, one to four at each position, `step` apart; missing ones are the last one again. */
static LW_NOINLINE void lw_place(const int8_t *values, const lw_window *window, int32_t step, int8_t *output)
{
    const int32_t last = window->output_channels - 1;
    const int32_t second = last < 1 ? last : 1;
    const int32_t third = last < 2 ? last : 2;
    for (int32_t i = 0; i < window->output_width; i++) {
        output[0] = values[0];
        output[second] = values[second];
        output[third] = values[third];
        output[last] = values[last];
        values += last + 1;
        output += step;
    }
}

void lw_conv_2d_packed_s8(const lw_packed_params *params, const int8_t *input, const uint8_t *codes,
                          const int8_t *levels, const int32_t *bias, const lw_rescale *rescale, int8_t *scratch,
                          int8_t *output)
{
    const lw_convolution_params *const whole = &params->convolution;
    const int32_t outputs = whole->window.output_channels;
    const int32_t positions = whole->window.output_height * whole->window.output_width;
    const int32_t last_block = (positions - 1) / LW_TOGETHER * LW_TOGETHER;
    int8_t *const made = scratch; /* by a convolution, before they are put in place */
    int8_t *const columns = scratch + LW_TOGETHER * LW_CHANNELS;
    lw_convolution_params part = *whole;
    part.window.input_height = 1;
    part.window.input_channels = whole->window.filter_height * whole->window.filter_width * whole->window.input_channels;
    part.window.filter_height = 1;
    part.window.filter_width = 1;
    part.window.output_height = 1;
    part.window.stride_y = 1;
    part.window.stride_x = 1;
    part.window.dilation_y = 1;
    part.window.dilation_x = 1;
    part.window.pad_top = 0;
    part.window.pad_left = 0;
    part.window.inner_begin = 0;
    part.backward = 0;
    for (int32_t step = 0; step <= last_block; step += LW_TOGETHER) {
        const int32_t position = whole->backward ? last_block - step : step;
        const int32_t count = positions - position < LW_TOGETHER ? positions - position : LW_TOGETHER;
        part.window.input_width = count;
        part.window.output_width = count;
        part.window.inner_end = count;
        int8_t *weights = columns;
        for (int32_t i = 0; i < count; i++) {
            weights = lw_column(whole, input, position + i, weights);
        }
        const uint8_t *next = codes;
        for (int32_t channel = 0; channel < outputs; channel += LW_CHANNELS) {
            part.window.output_channels = outputs - channel < LW_CHANNELS ? outputs - channel : LW_CHANNELS;
            next = lw_unpack(next, params->bits, levels, part.window.output_channels, part.window.input_channels,
                             weights);
            lw_conv_2d_s8(&part, columns, weights, bias + channel, rescale + channel, made);
            lw_place(made, &part.window, outputs, output + position * outputs + channel);
        }
    }
}
