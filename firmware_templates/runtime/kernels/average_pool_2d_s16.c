/* AVERAGE_POOL_2D, int16.
 *
 *   output[y, x, c] = clamp(sum / n to the nearest, halves away from 0),
 *   sum over the n taps of the window that lie inside the input of in[Y, X, c]
 *
 * Four channels at a time.
 */
#include "kernels.h"

static inline int16_t lw_store(const lw_pool_params *params, int32_t sum, int32_t count)
{
    const int32_t mean = (sum + (sum >> 31 | 1) * (count / 2)) / count;
    return lw_clamp_s16(mean, params->activation_min, params->activation_max);
}

void lw_average_pool_2d_s16(const lw_pool_params *params, const int16_t *input, int16_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    for (int32_t y = 0; y < window->output_height; y++) {
        const int32_t top = y * window->stride_y - window->pad_top;
        const int32_t row_begin = top > 0 ? top : 0;
        const int32_t bottom = top + window->filter_height;
        const int32_t row_end = bottom < window->input_height ? bottom : window->input_height;
        for (int32_t x = 0; x < window->output_width; x++) {
            const int32_t left = x * window->stride_x - window->pad_left;
            const int32_t begin = left > 0 ? left : 0;
            const int32_t right = left + window->filter_width;
            const int32_t end = right < window->input_width ? right : window->input_width;
            const int32_t skip = (window->input_width - (end - begin)) * channels;
            const int32_t count = (row_end - row_begin) * (end - begin);
            const int16_t *const first = input + (row_begin * window->input_width + begin) * channels;
            int32_t channel = 0;
            for (; channel + 4 <= channels; channel += 4) {
                int32_t sum0 = 0;
                int32_t sum1 = 0;
                int32_t sum2 = 0;
                int32_t sum3 = 0;
                const int16_t *in = first + channel;
                for (int32_t row = row_begin; row < row_end; row++) {
                    for (int32_t column = begin; column < end; column++) {
                        sum0 += in[0];
                        sum1 += in[1];
                        sum2 += in[2];
                        sum3 += in[3];
                        in += channels;
                    }
                    in += skip;
                }
                output[channel] = lw_store(params, sum0, count);
                output[channel + 1] = lw_store(params, sum1, count);
                output[channel + 2] = lw_store(params, sum2, count);
                output[channel + 3] = lw_store(params, sum3, count);
            }
            for (; channel < channels; channel++) {
                int32_t sum = 0;
                const int16_t *in = first + channel;
                for (int32_t row = row_begin; row < row_end; row++) {
                    for (int32_t column = begin; column < end; column++) {
                        sum += *in;
                        in += channels;
                    }
                    in += skip;
                }
                output[channel] = lw_store(params, sum, count);
            }
            output += channels;
        }
    }
}
