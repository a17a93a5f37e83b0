/* CONV_2D, int16 with int8 weights per channel and int64 biases.
 *
 *   output[y, x, o] = clamp(rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * in[Y, X, i] ))
 *   Y = y * stride_y - pad_top + r * dilation_y,  X = x * stride_x - pad_left + c * dilation_x,  in = 0 outside
 *
 * Two output channels at a time, and two output columns where neither overhangs: four products for four loads.
 */
#include "kernels.h"

/* Adds `count` products of two inputs with two weight rows: sums[0] in0 w0, [1] in0 w1, [2] in1 w0, [3] in1 w1. A
 * function of its own, so that all it works with stays in registers. */
static LW_NOINLINE void lw_dot_2x2(const int16_t *in0, const int16_t *in1, const int8_t *w0, const int8_t *w1,
                                   int32_t count, int64_t sums[4])
{
    while (count > 0) {
        const int32_t part = count < LW_EXACT ? count : LW_EXACT;
        const int16_t *const end = in0 + part;
        int32_t sum0 = 0;
        int32_t sum1 = 0;
        int32_t sum2 = 0;
        int32_t sum3 = 0;
        while (in0 != end) {
            const int32_t x = *in0++;
            const int32_t y = *in1++;
            const int32_t a = *w0++;
            const int32_t b = *w1++;
            sum0 += x * a;
            sum1 += x * b;
            sum2 += y * a;
            sum3 += y * b;
        }
        sums[0] += sum0;
        sums[1] += sum1;
        sums[2] += sum2;
        sums[3] += sum3;
        count -= part;
    }
}

/* The same for one input: sums[0] in w0, [1] in w1. */
static LW_NOINLINE void lw_dot_1x2(const int16_t *in, const int8_t *w0, const int8_t *w1, int32_t count,
                                   int64_t sums[4])
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

static LW_NOINLINE int16_t lw_store(const lw_convolution_params *params, int64_t sum, const lw_wide_rescale *rescale)
{
    return lw_clamp_s16(lw_rescale_s64(sum, *rescale), params->activation_min, params->activation_max);
}

/* One output column, or two neighbours that overhang in no column: all channels. */
static void lw_columns(const lw_convolution_params *params, const lw_inside_s16 *inside, int32_t columns,
                       const int8_t *weights, const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t outputs = window->output_channels;
    const int32_t row_size = window->filter_width * channels;
    const int32_t filter_size = window->filter_height * row_size;
    const int32_t row_step = window->dilation_y * window->input_width * channels;
    const int32_t rows = inside->row_end - inside->row_begin;
    const int32_t taps = inside->tap_end - inside->tap_begin;
    const int32_t skipped = inside->row_begin * row_size + inside->tap_begin * channels;
    /* neighbouring taps are one run of values, taps that lie apart are runs of one */
    const int32_t run = window->dilation_x == 1 ? taps * channels : channels;
    const int32_t runs = window->dilation_x == 1 ? 1 : taps;
    const int32_t next = window->stride_x * channels;
    for (int32_t channel = 0; channel < outputs; channel += 2) {
        /* an odd last channel is computed twice, the second time onto itself */
        const int32_t second = channel + 1 < outputs ? 1 : 0;
        const int8_t *w0 = weights + skipped;
        const int8_t *w1 = w0 + second * filter_size;
        int64_t sums[4] = {bias[0], bias[second], bias[0], bias[second]};
        const int16_t *row_input = inside->input;
        for (int32_t row = 0; row < rows; row++) {
            const int16_t *in = row_input;
            for (int32_t i = 0; i < runs; i++) {
                if (columns == 2) {
                    lw_dot_2x2(in, in + next, w0, w1, run, sums);
                } else {
                    lw_dot_1x2(in, w0, w1, run, sums);
                }
                in += window->dilation_x * channels;
                w0 += run;
                w1 += run;
            }
            row_input += row_step;
            w0 += row_size - taps * channels;
            w1 += row_size - taps * channels;
        }
        output[0] = lw_store(params, sums[0], rescale);
        output[second] = lw_store(params, sums[1], rescale + second);
        if (columns == 2) {
            output[outputs] = lw_store(params, sums[2], rescale);
            output[outputs + second] = lw_store(params, sums[3], rescale + second);
        }
        weights += 2 * filter_size;
        bias += 2;
        rescale += 2;
        output += 2;
    }
}

void lw_conv_2d_s16(const lw_convolution_params *params, const int16_t *input, const int8_t *weights,
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
        int32_t columns = 1;
        for (int32_t done = 0; done < width; done += columns) {
            int32_t x = params->backward ? width - 1 - done : done;
            const int32_t low = params->backward ? x - 1 : x;
            columns = low >= window->inner_begin && low + 1 < window->inner_end ? 2 : 1;
            x = columns == 2 ? low : x;
            const int32_t left = x * window->stride_x - window->pad_left;
            lw_clip(left, window->dilation_x, window->filter_width, window->input_width, &inside.tap_begin,
                    &inside.tap_end);
            inside.input = first + (left + inside.tap_begin * window->dilation_x) * window->input_channels;
            lw_columns(params, &inside, columns, weights, bias, rescale,
                       output + (y * width + x) * window->output_channels);
        }
    }
}
