/* AVERAGE_POOL_2D, int8, for a multiple of four channels and windows of at most 255 taps.
 *
 *   output[y, x, c] = clamp(sum / n to the nearest, halves away from 0),
 *   sum over the n taps of the window that lie inside the input of in[Y, X, c]
 *
 * as lw_average_pool_2d_s8: sums of four channels in 16-bit lanes.
 */
#include "dsp.h"

/* The byte of the sum in the lower lane of `sums`. */
static inline int8_t lw_mean(uint32_t sums, int32_t count)
{
    const int32_t sum = (int16_t)(sums & 0xffffu);
    return (int8_t)((sum + (sum >> 31 | 1) * (count / 2)) / count);
}

void lw_average_pool_2d_s8_dsp(const lw_taps_params *params, const int8_t *input, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t line = window->input_width * channels;
    int8_t *first = output;
    int32_t top = -window->pad_top;
    for (int32_t y = 0; y < window->output_height; y++) {
        const int32_t row_begin = top < 0 ? 0 : top;
        const int32_t bottom = top + window->filter_height;
        const int32_t rows = (bottom < window->input_height ? bottom : window->input_height) - row_begin;
        int32_t left = -window->pad_left;
        for (int32_t x = 0; x < window->output_width; x++) {
            const int32_t begin = left < 0 ? 0 : left;
            const int32_t right = left + window->filter_width;
            const int32_t taps = (right < window->input_width ? right : window->input_width) - begin;
            const int8_t *corner = input + row_begin * line + begin * channels;
            for (int32_t channel = 0; channel < channels; channel += 4) {
                const int8_t *in = corner;
                uint32_t even = 0;
                uint32_t odd = 0;
                for (int32_t row = rows; row > 0; row--) {
                    const int8_t *const end = in + taps * channels;
                    const int8_t *tap = in;
                    do {
                        const uint32_t word = lw_load_4(tap);
                        even = lw_add_lanes(even, lw_even(word));
                        odd = lw_add_lanes(odd, lw_odd(word));
                        tap += channels;
                    } while (tap != end);
                    in += line;
                }
                first[0] = lw_mean(even, rows * taps);
                first[1] = lw_mean(odd, rows * taps);
                first[2] = lw_mean(even >> 16, rows * taps);
                first[3] = lw_mean(odd >> 16, rows * taps);
                first += 4;
                corner += 4;
            }
            left += window->stride_x;
        }
        top += window->stride_y;
    }
    lw_narrow(&params->clamp, output);
}
