/* DEPTHWISE_CONV_2D, int8, per-channel weights.
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c of w[r, c, o] * (in[Y, X, o / m] - zi) ))
 *   Y = y * stride_y - pad_top + r * dilation_y,  X = x * stride_x - pad_left + c * dilation_x,  in = zi outside,
 *   m = output channels / input channels
 *
 * `bias` holds b[o] - zi * sum(w[., ., o]), so that the inner loop multiplies raw bytes; a tap outside adds w * zi.
 * With m = 1, four channels at a time.
 */
#include "kernels.h"

/* A rectangle of taps: `rows` of `taps` each, and the bytes from one to the next in input and weights. */
typedef struct {
    int32_t rows, taps;
    int32_t input_row, input_tap;
    int32_t weight_row, weight_tap;
} lw_taps;

static LW_NOINLINE int8_t lw_store(const lw_convolution_params *params, int32_t sum, const lw_rescale *rescale)
{
    return lw_clamp_s8(lw_rescale_s32(sum, *rescale) + params->output_zero_point, params->activation_min,
                       params->activation_max);
}

/* Adds the products of a rectangle of taps for one channel. */
static int32_t lw_dot(const lw_taps *taps, const int8_t *input, const int8_t *weights, int32_t sum)
{
    for (int32_t row = taps->rows; row > 0; row--) {
        const int8_t *in = input;
        const int8_t *w = weights;
        for (int32_t tap = taps->taps; tap > 0; tap--) {
            sum += *in * *w;
            in += taps->input_tap;
            w += taps->weight_tap;
        }
        input += taps->input_row;
        weights += taps->weight_row;
    }
    return sum;
}

/* The same for four neighbouring channels. */
static LW_NOINLINE void lw_dot_4(const lw_taps *taps, const int8_t *input, const int8_t *weights, int32_t sums[4])
{
    const int32_t input_tap = taps->input_tap;
    const int32_t weight_tap = taps->weight_tap;
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    int32_t sum2 = sums[2];
    int32_t sum3 = sums[3];
    for (int32_t row = taps->rows; row > 0; row--) {
        const int8_t *in = input;
        const int8_t *w = weights;
        for (int32_t tap = taps->taps; tap > 0; tap--) {
            sum0 += in[0] * w[0];
            sum1 += in[1] * w[1];
            sum2 += in[2] * w[2];
            sum3 += in[3] * w[3];
            in += input_tap;
            w += weight_tap;
        }
        input += taps->input_row;
        weights += taps->weight_row;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* What the taps outside the input add to four channels: each reads the zero point. */
static void lw_outside_4(const lw_convolution_params *params, const lw_inside *inside, const int8_t *weights,
                         int32_t sums[4])
{
    const lw_window *const window = &params->window;
    const int8_t zero = (int8_t)params->input_zero_point;
    const int8_t zeros[4] = {zero, zero, zero, zero};
    const int32_t tap = window->output_channels;
    const int32_t row = window->filter_width * tap;
    const int8_t *const first = weights + inside->row_begin * row;
    lw_taps taps = {inside->row_begin, window->filter_width, 0, 0, row, tap};
    lw_dot_4(&taps, zeros, weights, sums);
    taps.rows = window->filter_height - inside->row_end;
    lw_dot_4(&taps, zeros, weights + inside->row_end * row, sums);
    taps.rows = inside->row_end - inside->row_begin;
    taps.taps = inside->tap_begin;
    lw_dot_4(&taps, zeros, first, sums);
    taps.taps = window->filter_width - inside->tap_end;
    lw_dot_4(&taps, zeros, first + inside->tap_end * tap, sums);
}

/* The same for one channel. */
static int32_t lw_outside(const lw_convolution_params *params, const lw_inside *inside, const int8_t *weights)
{
    const lw_window *const window = &params->window;
    const int8_t zero = (int8_t)params->input_zero_point;
    const int32_t tap = window->output_channels;
    const int32_t row = window->filter_width * tap;
    const int8_t *const first = weights + inside->row_begin * row;
    lw_taps taps = {inside->row_begin, window->filter_width, 0, 0, row, tap};
    int32_t sum = lw_dot(&taps, &zero, weights, 0);
    taps.rows = window->filter_height - inside->row_end;
    sum = lw_dot(&taps, &zero, weights + inside->row_end * row, sum);
    taps.rows = inside->row_end - inside->row_begin;
    taps.taps = inside->tap_begin;
    sum = lw_dot(&taps, &zero, first, sum);
    taps.taps = window->filter_width - inside->tap_end;
    return lw_dot(&taps, &zero, first + inside->tap_end * tap, sum);
}

/* One output position: all channels. */
static void lw_position(const lw_convolution_params *params, const lw_inside *inside, const int8_t *weights,
                        const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t outputs = window->output_channels;
    const int32_t multiplier = outputs == window->input_channels ? 1 : outputs / window->input_channels;
    const lw_taps taps = {inside->row_end - inside->row_begin,
                          inside->tap_end - inside->tap_begin,
                          window->dilation_y * window->input_width * window->input_channels,
                          window->dilation_x * window->input_channels,
                          window->filter_width * outputs,
                          outputs};
    const bool clipped = taps.rows != window->filter_height || taps.taps != window->filter_width;
    const int32_t skipped = inside->row_begin * taps.weight_row + inside->tap_begin * taps.weight_tap;
    int32_t channel = 0;
    if (multiplier == 1) {
        for (; channel + 4 <= outputs; channel += 4) {
            int32_t sums[4] = {bias[channel], bias[channel + 1], bias[channel + 2], bias[channel + 3]};
            lw_dot_4(&taps, inside->input + channel, weights + skipped + channel, sums);
            if (clipped) {
                lw_outside_4(params, inside, weights + channel, sums);
            }
            output[channel] = lw_store(params, sums[0], rescale + channel);
            output[channel + 1] = lw_store(params, sums[1], rescale + channel + 1);
            output[channel + 2] = lw_store(params, sums[2], rescale + channel + 2);
            output[channel + 3] = lw_store(params, sums[3], rescale + channel + 3);
        }
    }
    for (; channel < outputs; channel++) {
        int32_t sum = lw_dot(&taps, inside->input + channel / multiplier, weights + skipped + channel, bias[channel]);
        if (clipped) {
            sum += lw_outside(params, inside, weights + channel);
        }
        output[channel] = lw_store(params, sum, rescale + channel);
    }
}

void lw_depthwise_conv_2d_s8(const lw_convolution_params *params, const int8_t *input, const int8_t *weights,
                             const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t row_bytes = window->input_width * window->input_channels;
    const int32_t rows = window->output_height;
    const int32_t width = window->output_width;
    for (int32_t row = 0; row < rows; row++) {
        const int32_t y = params->backward ? rows - 1 - row : row;
        const int32_t top = y * window->stride_y - window->pad_top;
        lw_inside inside;
        lw_clip(top, window->dilation_y, window->filter_height, window->input_height, &inside.row_begin,
                &inside.row_end);
        const int8_t *const first = input + (top + inside.row_begin * window->dilation_y) * row_bytes;
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
