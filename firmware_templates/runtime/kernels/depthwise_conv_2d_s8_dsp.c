/* DEPTHWISE_CONV_2D, int8, per-channel weights, one output for each input channel, with the instructions of Armv7E-M.
 *
 *   output[y, x, c] = clamp(zo + rescale[c]( b[c] + sum over r, t of w[r, t, c] * (in[Y, X, c] - zi) ))
 *
 * as lw_depthwise_conv_2d_s8, for a multiple of four channels. `scratch` holds where each tap lies, and behind that the
 * row of zero points that taps outside of the input read (multiply_taps_s8_dsp.c).
 */
#include "dsp.h"

void lw_depthwise_conv_2d_s8_dsp(const lw_taps_params *params, const int8_t *input, const uint32_t *weights,
                                 const lw_channel *channels, uint32_t *scratch, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->input_channels;
    const int32_t count = window->filter_height * window->filter_width;
    int8_t *const zeros = (int8_t *)(scratch + count);
    for (int32_t i = 0; i < depth; i++) {
        zeros[i] = (int8_t)params->input_zero_point;
    }
    const uint32_t outside = (uint32_t)(zeros - input); /* both lie in the arena */
    int8_t *first = output;
    int32_t top = -window->pad_top;
    for (int32_t y = 0; y < window->output_height; y++) {
        int32_t left = -window->pad_left;
        for (int32_t x = 0; x < window->output_width; x++) {
            uint32_t *tap = scratch;
            int32_t row = top;
            for (int32_t i = 0; i < window->filter_height; i++) {
                const bool inside = row >= 0 && row < window->input_height;
                int32_t column = left;
                for (int32_t j = 0; j < window->filter_width; j++) {
                    *tap++ = inside && column >= 0 && column < window->input_width
                                 ? (uint32_t)((row * window->input_width + column) * depth)
                                 : outside;
                    column += window->dilation_x;
                }
                row += window->dilation_y;
            }
            lw_multiply_taps_s8_dsp(scratch, tap, input, weights, channels, channels + depth, first, params->center);
            first += depth;
            left += window->stride_x;
        }
        top += window->stride_y;
    }
    lw_narrow(&params->clamp, output);
}
