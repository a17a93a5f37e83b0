/* CONV_2D of several groups, int16 with int8 weights per channel and int64 biases.
 *
 *   output[y, x, g * O + o] = clamp(rescale(b + sum over r, c, i of w[r, c, i] * in[Y, X, g * I + i] ))
 *   w = weights[g * O + o] and so on; groups, window, Y and X as in conv_2d_grouped_s8.c, in = 0 outside
 */
#include "kernels.h"

/* Adds `count` products of an input with two weight rows. */
static LW_NOINLINE void lw_dot_pair(const int16_t *in, const int8_t *w0, const int8_t *w1, int32_t count,
                                    int64_t sums[2])
{
    while (count > 0) {
        const int32_t part = count < LW_EXACT ? count : LW_EXACT;
        const int16_t *const end = in + part;
        int32_t sum0 = 0;
        int32_t sum1 = 0;
        while (in != end) {
            const int32_t x = *in++;
            sum0 += x * *w0++;
            sum1 += x * *w1++;
        }
        sums[0] += sum0;
        sums[1] += sum1;
        count -= part;
    }
}

static LW_NOINLINE int16_t lw_store(const lw_grouped_params *params, int64_t sum, const lw_wide_rescale *rescale)
{
    return lw_clamp_s16(lw_rescale_s64(sum, *rescale), params->activation_min, params->activation_max);
}

/* All outputs of a group at one position, two at a time. */
static void lw_group(const lw_grouped_params *params, const lw_inside_s16 *inside, const int8_t *weights,
                     const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t row_step = window->dilation_y * window->input_width * channels;
    const int32_t tap_step = window->dilation_x * channels;
    const int32_t filter_size = window->filter_height * window->filter_width * channels;
    for (int32_t channel = 0; channel < window->output_channels; channel += 2) {
        /* an odd last channel is computed twice, the second time onto itself */
        const int32_t second = channel + 1 < window->output_channels ? 1 : 0;
        int64_t sums[2] = {bias[channel], bias[channel + second]};
        for (int32_t row = inside->row_begin; row < inside->row_end; row++) {
            for (int32_t tap = inside->tap_begin; tap < inside->tap_end; tap++) {
                const int8_t *const w =
                    weights + channel * filter_size + (row * window->filter_width + tap) * channels;
                lw_dot_pair(inside->input + (row - inside->row_begin) * row_step +
                                (tap - inside->tap_begin) * tap_step,
                            w, w + second * filter_size, channels, sums);
            }
        }
        output[channel] = lw_store(params, sums[0], rescale + channel);
        output[channel + second] = lw_store(params, sums[1], rescale + channel + second);
    }
}

void lw_conv_2d_grouped_s16(const lw_grouped_params *params, const int16_t *input, const int8_t *weights,
                            const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
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
        lw_inside_s16 inside;
        lw_clip(top, window->dilation_y, window->filter_height, window->input_height, &inside.row_begin,
                &inside.row_end);
        const int16_t *const first =
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
