/* CONV_2D, int8, per-channel weights.
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * (in[Y, X, i] - zi) ))
 *   Y = y * stride_y - pad_top + r * dilation_y,  X = x * stride_x - pad_left + c * dilation_x,  in = zi outside
 *
 * `bias` holds b[o] - zi * sum(w[o]), so that the inner loop multiplies raw bytes; a tap outside adds w * zi.
 * Two output columns and two output channels at a time: four products for four loads.
 */
#include "kernels.h"

static int32_t lw_sum(const int8_t *values, int32_t count)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum;
}

static inline int32_t lw_dot(int32_t sum, const int8_t *a, const int8_t *b, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* The rows of the window that lie inside the input, and where the first of them starts. */
typedef struct {
    int32_t begin, end;
    const int8_t *input;
} lw_rows;

static inline int8_t lw_store(const lw_convolution_params *params, int32_t sum, lw_rescale rescale)
{
    return lw_clamp_s8(lw_rescale_s32(sum, rescale) + params->output_zero_point, params->activation_min,
                       params->activation_max);
}

/* One output column whose window may overhang left or right: all channels. `column` is the input column of tap 0. */
static void lw_conv_edge(const lw_convolution_params *params, lw_rows rows, int32_t column, const int8_t *weights,
                         const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t row_size = window->filter_width * channels;
    const int32_t tap_step = window->dilation_x * channels;
    const int32_t row_step = window->dilation_y * window->input_width * channels;
    int32_t begin = 0;
    while (begin < window->filter_width && column + begin * window->dilation_x < 0) {
        begin++;
    }
    int32_t end = begin;
    while (end < window->filter_width && column + end * window->dilation_x < window->input_width) {
        end++;
    }
    for (int32_t channel = 0; channel < window->output_channels; channel++) {
        int32_t outside = lw_sum(weights, rows.begin * row_size) +
                          lw_sum(weights + rows.end * row_size, (window->filter_height - rows.end) * row_size);
        int32_t sum = bias[channel];
        const int8_t *in = rows.input + column * channels;
        for (int32_t row = rows.begin; row < rows.end; row++) {
            const int8_t *const w = weights + row * row_size;
            outside += lw_sum(w, begin * channels) +
                       lw_sum(w + end * channels, (window->filter_width - end) * channels);
            if (window->dilation_x == 1) {
                sum = lw_dot(sum, in + begin * channels, w + begin * channels, (end - begin) * channels);
            } else {
                for (int32_t tap = begin; tap < end; tap++) {
                    sum = lw_dot(sum, in + tap * tap_step, w + tap * channels, channels);
                }
            }
            in += row_step;
        }
        output[channel] = lw_store(params, sum + params->input_zero_point * outside, rescale[channel]);
        weights += window->filter_height * row_size;
    }
}

/* Two neighbouring output columns whose windows lie inside the input's width: all channels. */
static void lw_conv_pair(const lw_convolution_params *params, lw_rows rows, int32_t column, const int8_t *weights,
                         const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t outputs = window->output_channels;
    const int32_t row_size = window->filter_width * channels;
    const int32_t row_step = window->dilation_y * window->input_width * channels;
    const int32_t filter_size = window->filter_height * row_size;
    const int32_t next = window->stride_x * channels;
    /* with neighbouring taps, one filter row is one run of bytes in the input too */
    const int32_t run = window->dilation_x == 1 ? row_size : channels;
    const int32_t run_step = window->dilation_x * channels;
    const int32_t inside = (rows.end - rows.begin) * row_size;
    const int8_t *const start = rows.input + column * channels;
    for (int32_t channel = 0; channel < outputs; channel += 2) {
        /* an odd last channel is computed twice, the second time onto itself */
        const int32_t second = channel + 1 < outputs ? channel + 1 : channel;
        const int8_t *w0 = weights + channel * filter_size;
        const int8_t *w1 = weights + second * filter_size;
        int32_t bias0 = bias[channel];
        int32_t bias1 = bias[second];
        if (inside != filter_size) {
            const int32_t above = rows.begin * row_size;
            const int32_t below = filter_size - above - inside;
            bias0 += params->input_zero_point * (lw_sum(w0, above) + lw_sum(w0 + above + inside, below));
            bias1 += params->input_zero_point * (lw_sum(w1, above) + lw_sum(w1 + above + inside, below));
            w0 += above;
            w1 += above;
        }
        int32_t sum00 = bias0;
        int32_t sum01 = bias1;
        int32_t sum10 = bias0;
        int32_t sum11 = bias1;
        const int8_t *row_input = start;
        for (int32_t row = rows.begin; row < rows.end; row++) {
            const int8_t *in = row_input;
            for (int32_t left = row_size; left > 0; left -= run) {
                const int8_t *in0 = in;
                const int8_t *in1 = in + next;
                for (const int8_t *const end = w0 + run; w0 != end;) {
                    const int32_t a = *w0++;
                    const int32_t b = *w1++;
                    const int32_t x = *in0++;
                    const int32_t y = *in1++;
                    sum00 += a * x;
                    sum01 += b * x;
                    sum10 += a * y;
                    sum11 += b * y;
                }
                in += run_step;
            }
            row_input += row_step;
        }
        output[channel] = lw_store(params, sum00, rescale[channel]);
        output[second] = lw_store(params, sum01, rescale[second]);
        output[outputs + channel] = lw_store(params, sum10, rescale[channel]);
        output[outputs + second] = lw_store(params, sum11, rescale[second]);
    }
}

void lw_conv_2d_s8(const lw_convolution_params *params, const int8_t *input, const int8_t *weights,
                   const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t row_bytes = window->input_width * window->input_channels;
    int32_t top = -window->pad_top;
    for (int32_t y = 0; y < window->output_height; y++) {
        lw_rows rows = {0, 0, input};
        while (rows.begin < window->filter_height && top + rows.begin * window->dilation_y < 0) {
            rows.begin++;
        }
        rows.end = rows.begin;
        while (rows.end < window->filter_height && top + rows.end * window->dilation_y < window->input_height) {
            rows.end++;
        }
        rows.input = input + (top + rows.begin * window->dilation_y) * row_bytes;
        int32_t column = -window->pad_left;
        for (int32_t x = 0; x < window->output_width;) {
            if (x >= window->inner_begin && x + 1 < window->inner_end) {
                lw_conv_pair(params, rows, column, weights, bias, rescale, output);
                x += 2;
                column += 2 * window->stride_x;
                output += 2 * window->output_channels;
            } else {
                lw_conv_edge(params, rows, column, weights, bias, rescale, output);
                x += 1;
                column += window->stride_x;
                output += window->output_channels;
            }
        }
        top += window->stride_y;
    }
}
