/* MAX_POOL_2D, int16.
 *
 *   output[y, x, c] = clamp(max over the window's taps inside the input of in[Y, X, c])
 *
 * Four channels at a time.
 */
#include "kernels.h"

static inline int32_t lw_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

void lw_max_pool_2d_s16(const lw_pool_params *params, const int16_t *input, int16_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t low = params->activation_min;
    const int32_t high = params->activation_max;
    for (int32_t y = 0; y < window->output_height; y++) {
        const int32_t top = y * window->stride_y - window->pad_top;
        const int32_t row_begin = lw_max(top, 0);
        const int32_t row_end = -lw_max(-(top + window->filter_height), -window->input_height);
        for (int32_t x = 0; x < window->output_width; x++) {
            const int32_t left = x * window->stride_x - window->pad_left;
            const int32_t begin = lw_max(left, 0);
            const int32_t end = -lw_max(-(left + window->filter_width), -window->input_width);
            const int32_t skip = (window->input_width - (end - begin)) * channels;
            const int16_t *const first = input + (row_begin * window->input_width + begin) * channels;
            int32_t channel = 0;
            for (; channel + 4 <= channels; channel += 4) {
                int32_t max0 = low;
                int32_t max1 = low;
                int32_t max2 = low;
                int32_t max3 = low;
                const int16_t *in = first + channel;
                for (int32_t row = row_begin; row < row_end; row++) {
                    for (int32_t column = begin; column < end; column++) {
                        max0 = lw_max(max0, in[0]);
                        max1 = lw_max(max1, in[1]);
                        max2 = lw_max(max2, in[2]);
                        max3 = lw_max(max3, in[3]);
                        in += channels;
                    }
                    in += skip;
                }
                output[channel] = lw_clamp_s16(max0, low, high);
                output[channel + 1] = lw_clamp_s16(max1, low, high);
                output[channel + 2] = lw_clamp_s16(max2, low, high);
                output[channel + 3] = lw_clamp_s16(max3, low, high);
            }
            for (; channel < channels; channel++) {
                int32_t max = low;
                const int16_t *in = first + channel;
                for (int32_t row = row_begin; row < row_end; row++) {
                    for (int32_t column = begin; column < end; column++) {
                        max = lw_max(max, *in);
                        in += channels;
                    }
                    in += skip;
                }
                output[channel] = lw_clamp_s16(max, low, high);
            }
            output += channels;
        }
    }
}
