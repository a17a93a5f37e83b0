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

/* The part of the window inside the input. `input` and `weights` point to its first tap. */
typedef struct {
    int32_t row_begin, row_end, tap_begin, tap_end;
    int32_t input_row, input_tap; /* bytes from one to the next */
    int32_t weight_row, weight_tap;
    const int8_t *input;
} lw_taps;

static inline int8_t lw_store(const lw_convolution_params *params, int32_t sum, lw_rescale rescale)
{
    return lw_clamp_s8(lw_rescale_s32(sum, rescale) + params->output_zero_point, params->activation_min,
                       params->activation_max);
}

/* What the taps outside the input add to the sum of one channel. */
static int32_t lw_outside(const lw_convolution_params *params, const lw_taps *taps, const int8_t *weights)
{
    int32_t sum = 0;
    for (int32_t row = 0; row < params->window.filter_height; row++) {
        for (int32_t tap = 0; tap < params->window.filter_width; tap++) {
            if (row < taps->row_begin || row >= taps->row_end || tap < taps->tap_begin || tap >= taps->tap_end) {
                sum += weights[row * taps->weight_row + tap * taps->weight_tap];
            }
        }
    }
    return params->input_zero_point * sum;
}

static int32_t lw_inside(const lw_taps *taps, const int8_t *input, const int8_t *weights, int32_t sum)
{
    weights += taps->row_begin * taps->weight_row + taps->tap_begin * taps->weight_tap;
    for (int32_t row = taps->row_begin; row < taps->row_end; row++) {
        const int8_t *in = input;
        const int8_t *w = weights;
        for (int32_t tap = taps->tap_begin; tap < taps->tap_end; tap++) {
            sum += *in * *w;
            in += taps->input_tap;
            w += taps->weight_tap;
        }
        input += taps->input_row;
        weights += taps->weight_row;
    }
    return sum;
}

static void lw_inside_4(const lw_taps *taps, const int8_t *input, const int8_t *weights, int32_t sums[4])
{
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    int32_t sum2 = sums[2];
    int32_t sum3 = sums[3];
    weights += taps->row_begin * taps->weight_row + taps->tap_begin * taps->weight_tap;
    for (int32_t row = taps->row_begin; row < taps->row_end; row++) {
        const int8_t *in = input;
        const int8_t *w = weights;
        for (int32_t tap = taps->tap_begin; tap < taps->tap_end; tap++) {
            sum0 += in[0] * w[0];
            sum1 += in[1] * w[1];
            sum2 += in[2] * w[2];
            sum3 += in[3] * w[3];
            in += taps->input_tap;
            w += taps->weight_tap;
        }
        input += taps->input_row;
        weights += taps->weight_row;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* One output position: all channels. */
static void lw_position(const lw_convolution_params *params, const lw_taps *taps, const int8_t *weights,
                        const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t outputs = window->output_channels;
    const int32_t multiplier = outputs / window->input_channels;
    const int clipped = taps->row_end - taps->row_begin != window->filter_height ||
                        taps->tap_end - taps->tap_begin != window->filter_width;
    int32_t channel = 0;
    if (multiplier == 1) {
        for (; channel + 4 <= outputs; channel += 4) {
            int32_t sums[4] = {bias[channel], bias[channel + 1], bias[channel + 2], bias[channel + 3]};
            if (clipped) {
                for (int32_t i = 0; i < 4; i++) {
                    sums[i] += lw_outside(params, taps, weights + channel + i);
                }
            }
            lw_inside_4(taps, taps->input + channel, weights + channel, sums);
            for (int32_t i = 0; i < 4; i++) {
                output[channel + i] = lw_store(params, sums[i], rescale[channel + i]);
            }
        }
    }
    for (; channel < outputs; channel++) {
        int32_t sum = bias[channel];
        if (clipped) {
            sum += lw_outside(params, taps, weights + channel);
        }
        sum = lw_inside(taps, taps->input + channel / multiplier, weights + channel, sum);
        output[channel] = lw_store(params, sum, rescale[channel]);
    }
}

/* The taps of `count` at distance `step`, the first at `origin`, that lie in [0, size). */
static void lw_clip(int32_t origin, int32_t step, int32_t count, int32_t size, int32_t *begin, int32_t *end)
{
    int32_t tap = 0;
    while (tap < count && origin + tap * step < 0) {
        tap++;
    }
    *begin = tap;
    while (tap < count && origin + tap * step < size) {
        tap++;
    }
    *end = tap;
}

void lw_depthwise_conv_2d_s8(const lw_convolution_params *params, const int8_t *input, const int8_t *weights,
                             const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t row_bytes = window->input_width * window->input_channels;
    lw_taps taps;
    taps.input_row = window->dilation_y * row_bytes;
    taps.input_tap = window->dilation_x * window->input_channels;
    taps.weight_tap = window->output_channels;
    taps.weight_row = window->filter_width * window->output_channels;
    int32_t top = -window->pad_top;
    for (int32_t y = 0; y < window->output_height; y++) {
        lw_clip(top, window->dilation_y, window->filter_height, window->input_height, &taps.row_begin, &taps.row_end);
        int32_t left = -window->pad_left;
        for (int32_t x = 0; x < window->output_width; x++) {
            lw_clip(left, window->dilation_x, window->filter_width, window->input_width, &taps.tap_begin,
                    &taps.tap_end);
            taps.input = input + (top + taps.row_begin * window->dilation_y) * row_bytes +
                         (left + taps.tap_begin * window->dilation_x) * window->input_channels;
            lw_position(params, &taps, weights, bias, rescale, output);
            output += window->output_channels;
            left += window->stride_x;
        }
        top += window->stride_y;
    }
}
