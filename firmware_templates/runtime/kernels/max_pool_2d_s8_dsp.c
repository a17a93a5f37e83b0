/* MAX_POOL_2D, int8, for a multiple of four channels.
 *
 *   output[y, x, c] = clamp(max over the taps of the window that lie inside the input of in[Y, X, c])
 *
 * as lw_max_pool_2d_s8: four channels with each instruction.
 */
#include "dsp.h"

void lw_max_pool_2d_s8_dsp(const lw_taps_params *params, const int8_t *input, int8_t *output)
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
            const int32_t run = ((right < window->input_width ? right : window->input_width) - begin) * channels;
            const int8_t *corner = input + row_begin * line + begin * channels;
            for (int32_t channel = 0; channel < channels; channel += 4) {
                const int8_t *in = corner;
                uint32_t most = lw_load_4(in);
                for (int32_t row = rows; row > 0; row--) {
                    const int8_t *const end = in + run;
                    const int8_t *tap = in;
                    do {
                        most = lw_max_bytes(most, lw_load_4(tap));
                        tap += channels;
                    } while (tap != end);
                    in += line;
                }
                lw_store_4(first, most);
                first += 4;
                corner += 4;
            }
            left += window->stride_x;
        }
        top += window->stride_y;
    }
    lw_narrow(&params->clamp, output);
}
