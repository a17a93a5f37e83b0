/* The taps under a window at two neighbouring output positions, side by side in 16-bit lanes, for a product with many
 * output channels. A window is `runs` of neighbouring bytes, each filled up to a multiple of four taps (the weights
 * there are 0). Of every four taps t0..t3 at positions p and p + 1:
 *
 *   columns[0..3] = (p: t0, t2) (p + 1: t0, t2) (p: t1, t3) (p + 1: t1, t3),   in = zi outside of the input
 *
 * Where there is no position p + 1, p stands for it.
 */
#include "dsp.h"

/* Writes a run of `count` bytes into every second word. */
static uint32_t *lw_run(const int8_t *input, int32_t count, uint32_t *columns)
{
    for (; count >= 4; count -= 4) {
        const uint32_t word = lw_load_4(input);
        columns[0] = lw_even(word);
        columns[2] = lw_odd(word);
        columns += 4;
        input += 4;
    }
    if (count > 0) {
        const uint32_t word = lw_load_some(input, count);
        columns[0] = lw_even(word);
        columns[2] = lw_odd(word);
        columns += 4;
    }
    return columns;
}

/* Writes `count` zero points in the same way. */
static uint32_t *lw_outside(uint32_t zeros, int32_t count, uint32_t *columns)
{
    for (; count > 0; count -= 4) {
        columns[0] = zeros;
        columns[2] = zeros;
        columns += 4;
    }
    return columns;
}

/* A run of `count` bytes from line[origin] on, of which [begin, end) lie inside. */
static uint32_t *lw_cut_run(const int8_t *line, int32_t origin, int32_t count, int32_t begin, int32_t end,
                            uint32_t zero, uint32_t *columns)
{
    for (int32_t at = 0; at < count; at += 4) {
        uint32_t word = 0;
        for (int32_t i = 0; i < 4 && at + i < count; i++) {
            const uint32_t byte = at + i >= begin && at + i < end ? (uint8_t)line[origin + at + i] : zero;
            word |= byte << 8 * i;
        }
        columns[0] = lw_even(word);
        columns[2] = lw_odd(word);
        columns += 4;
    }
    return columns;
}

/* One position of a window that overhangs the input, into every second word. */
static void lw_overhanging(const lw_window *window, int32_t zero_point, const int8_t *input, int32_t top, int32_t left,
                           uint32_t *columns)
{
    const int32_t channels = window->input_channels;
    const uint32_t zero = (uint32_t)zero_point & 0xffu;
    const uint32_t zeros = lw_even(zero | zero << 16);
    const int32_t run = window->filter_width * channels;
    for (int32_t row = 0; row < window->filter_height; row++) {
        const int32_t y = top + row * window->dilation_y;
        const bool inside = y >= 0 && y < window->input_height;
        const int8_t *const line = input + (inside ? y : 0) * window->input_width * channels;
        if (!inside && window->dilation_x == 1) {
            columns = lw_outside(zeros, run, columns);
        } else if ((channels & 3) != 0 && window->dilation_x == 1) {
            const int32_t begin = left < 0 ? -left : 0;
            const int32_t right = window->input_width - left;
            const int32_t end = right < window->filter_width ? right : window->filter_width;
            columns = lw_cut_run(line, left * channels, run, begin * channels, end * channels, zero, columns);
        } else {
            for (int32_t tap = 0; tap < window->filter_width; tap++) {
                const int32_t x = left + tap * window->dilation_x;
                if (inside && x >= 0 && x < window->input_width) {
                    columns = lw_run(line + x * channels, channels, columns);
                } else {
                    columns = lw_outside(zeros, channels, columns);
                }
            }
        }
    }
}

/* Two positions whose windows lie inside the input. */
static void lw_both_inside(const lw_window *window, const int8_t *first, const int8_t *second, uint32_t *columns)
{
    const int32_t channels = window->input_channels;
    const int32_t row_step = window->dilation_y * window->input_width * channels;
    const int32_t run = window->dilation_x == 1 ? window->filter_width * channels : channels;
    const int32_t runs = window->dilation_x == 1 ? 1 : window->filter_width;
    const int32_t tap_step = window->dilation_x * channels;
    for (int32_t row = window->filter_height; row > 0; row--) {
        const int8_t *tap0 = first;
        const int8_t *tap1 = second;
        for (int32_t i = runs; i > 0; i--) {
            const int8_t *in0 = tap0;
            const int8_t *in1 = tap1;
            const int8_t *const end = in0 + (run & ~3);
            while (in0 != end) {
                const uint32_t word0 = lw_load_4(in0);
                const uint32_t word1 = lw_load_4(in1);
                in0 += 4;
                in1 += 4;
                columns[0] = lw_even(word0);
                columns[1] = lw_even(word1);
                columns[2] = lw_odd(word0);
                columns[3] = lw_odd(word1);
                columns += 4;
            }
            if ((run & 3) != 0) {
                const uint32_t word0 = lw_load_some(in0, run & 3);
                const uint32_t word1 = lw_load_some(in1, run & 3);
                columns[0] = lw_even(word0);
                columns[1] = lw_even(word1);
                columns[2] = lw_odd(word0);
                columns[3] = lw_odd(word1);
                columns += 4;
            }
            tap0 += tap_step;
            tap1 += tap_step;
        }
        first += row_step;
        second += row_step;
    }
}

void lw_columns_s8_dsp(const lw_window *window, int32_t zero_point, const int8_t *input, int32_t position,
                       uint32_t *columns)
{
    const int32_t height = (window->filter_height - 1) * window->dilation_y + 1;
    const int32_t width = (window->filter_width - 1) * window->dilation_x + 1;
    const int32_t row_bytes = window->input_width * window->input_channels;
    const int8_t *corner[2] = {input, input};
    int32_t top[2];
    int32_t left[2];
    bool overhangs = false;
    for (int32_t i = 0; i < 2; i++) {
        const int32_t last = window->output_height * window->output_width - 1;
        const int32_t at = position + i < last ? position + i : last;
        const int32_t y = at / window->output_width;
        top[i] = y * window->stride_y - window->pad_top;
        left[i] = (at - y * window->output_width) * window->stride_x - window->pad_left;
        if (top[i] < 0 || left[i] < 0 || top[i] + height > window->input_height ||
            left[i] + width > window->input_width) {
            overhangs = true;
        } else {
            corner[i] = input + top[i] * row_bytes + left[i] * window->input_channels;
        }
    }
    if (overhangs) {
        lw_overhanging(window, zero_point, input, top[0], left[0], columns);
        lw_overhanging(window, zero_point, input, top[1], left[1], columns + 1);
    } else {
        lw_both_inside(window, corner[0], corner[1], columns);
    }
}
