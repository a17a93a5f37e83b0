/* DEPTHWISE_CONV_2D, int16 with int8 weights per channel and int64 biases.
 *
 *   output[y, x, o] = clamp(rescale[o]( b[o] + sum over r, c of w[r, c, o] * in[Y, X, o / m] ))
 *   Y = y * stride_y - pad_top + r * dilation_y,  X = x * stride_x - pad_left + c * dilation_x,  in = 0 outside,
 *   m = output channels / input channels
 *
 * With m = 1, two channels at a time.
 */
#include "kernels.h"

/* A rectangle of taps: `rows` of `taps` each, and the values from one to the next in input and weights. */
typedef struct {
    int32_t rows, taps;
    int32_t input_row, input_tap;
    int32_t weight_row, weight_tap;
} lw_taps_s16;

static LW_NOINLINE int16_t lw_store(const lw_convolution_params *params, int64_t sum, const lw_wide_rescale *rescale)
{
    return lw_clamp_s16(lw_rescale_s64(sum, *rescale), params->activation_min, params->activation_max);
}

/* The products of a rectangle of taps for one channel. */
static int64_t lw_dot(const lw_taps_s16 *taps, const int16_t *input, const int8_t *weights)
{
    int64_t total = 0;
    for (int32_t row = taps->rows; row > 0; row--) {
        const int16_t *in = input;
        const int8_t *w = weights;
        for (int32_t left = taps->taps; left > 0; left -= LW_EXACT) {
            int32_t sum = 0;
            for (int32_t tap = left < LW_EXACT ? left : LW_EXACT; tap > 0; tap--) {
                sum += *in * *w;
                in += taps->input_tap;
                w += taps->weight_tap;
            }
            total += sum;
        }
        input += taps->input_row;
        weights += taps->weight_row;
    }
    return total;
}

/* The same for two neighbouring channels. */
static LW_NOINLINE void lw_dot_2(const lw_taps_s16 *taps, const int16_t *input, const int8_t *weights, int64_t sums[2])
{
    const int32_t input_tap = taps->input_tap;
    const int32_t weight_tap = taps->weight_tap;
    for (int32_t row = taps->rows; row > 0; row--) {
        const int16_t *in = input;
        const int8_t *w = weights;
        for (int32_t left = taps->taps; left > 0; left -= LW_EXACT) {
            int32_t sum0 = 0;
            int32_t sum1 = 0;
            for (int32_t tap = left < LW_EXACT ? left : LW_EXACT; tap > 0; tap--) {
                sum0 += in[0] * w[0];
                sum1 += in[1] * w[1];
                in += input_tap;
                w += weight_tap;
            }
            sums[0] += sum0;
            sums[1] += sum1;
        }
        input += taps->input_row;
        weights += taps->weight_row;
    }
}

/* One output position: all channels. */
static void lw_position(const lw_convolution_params *params, const lw_inside_s16 *inside, const int8_t *weights,
                        const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t outputs = window->output_channels;
    const int32_t multiplier = outputs == window->input_channels ? 1 : outputs / window->input_channels;
    const lw_taps_s16 taps = {inside->row_end - inside->row_begin,
                          inside->tap_end - inside->tap_begin,
                          window->dilation_y * window->input_width * window->input_channels,
                          window->dilation_x * window->input_channels,
                          window->filter_width * outputs,
                          outputs};
    int32_t channel = 0;
    weights += inside->row_begin * taps.weight_row + inside->tap_begin * taps.weight_tap;
    if (multiplier == 1) {
        for (; channel + 2 <= outputs; channel += 2) {
            int64_t sums[2] = {bias[channel], bias[channel + 1]};
            lw_dot_2(&taps, inside->input + channel, weights + channel, sums);
            output[channel] = lw_store(params, sums[0], rescale + channel);
            output[channel + 1] = lw_store(params, sums[1], rescale + channel + 1);
        }
    }
    for (; channel < outputs; channel++) {
        const int64_t sum = bias[channel] + lw_dot(&taps, inside->input + channel / multiplier, weights + channel);
        output[channel] = lw_store(params, sum, rescale + channel);
    }
}

void lw_depthwise_conv_2d_s16(const lw_convolution_params *params, const int16_t *input, const int8_t *weights,
                              const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t row_size = window->input_width * window->input_channels;
    const int32_t rows = window->output_height;
    const int32_t width = window->output_width;
    for (int32_t row = 0; row < rows; row++) {
        const int32_t y = params->backward ? rows - 1 - row : row;
        const int32_t top = y * window->stride_y - window->pad_top;
        lw_inside_s16 inside;
        lw_clip(top, window->dilation_y, window->filter_height, window->input_height, &inside.row_begin,
                &inside.row_end);
        const int16_t *const first = input + (top + inside.row_begin * window->dilation_y) * row_size;
        for (int32_t column = 0; column < width; column++) {
            const int32_t x = params->backward ? width - 1 - column : column;
            const int32_t left = x * window->stride_x - window->pad_left;
            lw_clip(left, window->dilation_x, window->filter_width, window->input_width, &inside.tap_begin,
                    &inside.tap_end);
            inside.input = first + (left + inside.tap_begin * window->dilation_x) * window->input_channels;
            lw_position(params, &inside, weights, bias, rescale,
                        output + (y * width + x) * window->output_channels);
        }
    }
}
