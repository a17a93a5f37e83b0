/* CONV_2D of several groups, int8, per-channel weights: every group sees channels of its own and gives others.
 *
 *   output[y, x, g * O + o] = clamp(zo + rescale(b + sum over r, c, i of w[r, c, i] * (in[Y, X, g * I + i] - zi) ))
 *   w = weights[g * O + o] and so on, g a group with I inputs and O outputs, Y and X as in conv_2d_s8.c
 *
 * `window` is that of one group: it sees `groups` times as many columns, I channels each, and steps over those of the
 * other groups; group g begins g columns later. `bias` holds b - zi * sum(w), as of conv_2d_s8.c.
 */
#include "kernels.h"

/* Adds `count` products of an input with two weight rows. */
static LW_NOINLINE void lw_dot_pair(const int8_t *in, const int8_t *w0, const int8_t *w1, int32_t count,
                                    int32_t sums[2])
{
    const int8_t *const end = in + count;
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    while (in != end) {
        const int32_t x = *in++;
        sum0 += x * *w0++;
        sum1 += x * *w1++;
    }
    sums[0] = sum0;
    sums[1] = sum1;
}

/* The same for a tap outside of the input. */
static LW_NOINLINE void lw_outside_pair(int32_t zero_point, const int8_t *w0, const int8_t *w1, int32_t count,
                                        int32_t sums[2])
{
    const int8_t *const end = w0 + count;
    while (w0 != end) {
        sums[0] += zero_point * *w0++;
        sums[1] += zero_point * *w1++;
    }
}

static LW_NOINLINE int8_t lw_store(const lw_grouped_params *params, int32_t sum, const lw_rescale *rescale)
{
    return lw_clamp_s8(lw_rescale_s32(sum, *rescale) + params->output_zero_point, params->activation_min,
                       params->activation_max);
}

/* All outputs of a group at one position, two at a time. */
static void lw_group(const lw_grouped_params *params, const lw_inside *inside, const int8_t *weights,
                     const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t row_step = window->dilation_y * window->input_width * channels;
    const int32_t tap_step = window->dilation_x * channels;
    const int32_t filter_size = window->filter_height * window->filter_width * channels;
    for (int32_t channel = 0; channel < window->output_channels; channel += 2) {
        /* an odd last channel is computed twice, the second time onto itself */
        const int32_t second = channel + 1 < window->output_channels ? 1 : 0;
        const int8_t *w0 = weights + channel * filter_size;
        const int8_t *w1 = w0 + second * filter_size;
        int32_t sums[2] = {bias[channel], bias[channel + second]};
        for (int32_t row = 0; row < window->filter_height; row++) {
            const bool row_inside = row >= inside->row_begin && row < inside->row_end;
            for (int32_t tap = 0; tap < window->filter_width; tap++) {
                if (row_inside && tap >= inside->tap_begin && tap < inside->tap_end) {
                    const int8_t *const in = inside->input + (row - inside->row_begin) * row_step +
                                             (tap - inside->tap_begin) * tap_step;
                    lw_dot_pair(in, w0, w1, channels, sums);
                } else {
                    lw_outside_pair(params->input_zero_point, w0, w1, channels, sums);
                }
                w0 += channels;
                w1 += channels;
            }
        }
        output[channel] = lw_store(params, sums[0], rescale + channel);
        output[channel + second] = lw_store(params, sums[1], rescale + channel + second);
    }
}

void lw_conv_2d_grouped_s8(const lw_grouped_params *params, const int8_t *input, const int8_t *weights,
                           const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t outputs = window->output_channels;
    const int32_t filter_size = window->filter_height * window->filter_width * channels;
    const int32_t positions = window->output_height * window->output_width;
    for (int32_t step = 0; step < positions; step++) {
        const int32_t position = params->backward ? positions - 1 - step : step;
        const int32_t y = position / window->output_width;
        const int32_t top = y * window->stride_y - window->pad_top;
        lw_inside inside;
        lw_clip(top, window->dilation_y, window->filter_height, window->input_height, &inside.row_begin,
                &inside.row_end);
        const int8_t *const first =
            input + (top + inside.row_begin * window->dilation_y) * window->input_width * channels;
        for (int32_t group = 0; group < params->groups; group++) {
            const int32_t left = (position - y * window->output_width) * window->stride_x - window->pad_left + group;
            lw_clip(left, window->dilation_x, window->filter_width, window->input_width, &inside.tap_begin,
                    &inside.tap_end);
            inside.input = first + (left + inside.tap_begin * window->dilation_x) * channels;
            const int32_t channel = group * outputs;
            lw_group(params, &inside, weights + channel * filter_size, bias + channel, rescale + channel,
                     output + position * params->groups * outputs + channel);
        }
    }
}
