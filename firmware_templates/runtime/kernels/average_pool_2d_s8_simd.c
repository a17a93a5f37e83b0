/* AVERAGE_POOL_2D, int8, sixteen channels at a time.
 *
 *   output[y, x, c] = clamp(sum / n to the nearest, halves away from 0),
 *   sum over the n taps of the window that lie inside the input of in[Y, X, c]
 *
 * as lw_average_pool_2d_s8. Loops of a fixed length, which a compiler turns into vectors.
 */
#include "simd.h"

/* At most 16 channels of the taps of a window inside the input. */
static void lw_means(const lw_pool_params *params, const lw_inside *inside, int32_t count, int8_t *output)
{
    const int32_t depth = params->window.input_channels;
    const int32_t line = params->window.input_width * depth;
    const int32_t rows = inside->row_end - inside->row_begin;
    const int32_t taps = inside->tap_end - inside->tap_begin;
    const int32_t divisor = rows * taps;
    int32_t sums[LW_LANES] = {0};
    for (int32_t row = 0; row < rows; row++) {
        for (int32_t tap = 0; tap < taps; tap++) {
            lw_add_bytes(inside->input + row * line + tap * depth, count, sums);
        }
    }
    int8_t bytes[LW_LANES];
    for (int32_t i = 0; i < LW_LANES; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): at least one tap of every window lies inside */
        const int32_t mean = (sums[i] + (sums[i] >> 31 | 1) * (divisor / 2)) / divisor;
        bytes[i] = lw_clamp_s8(mean, params->activation_min, params->activation_max);
    }
    lw_put_bytes(bytes, count, output);
}

void lw_average_pool_2d_s8_simd(const lw_pool_params *params, const int8_t *input, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->input_channels;
    for (int32_t y = 0; y < window->output_height; y++) {
        for (int32_t x = 0; x < window->output_width; x++) {
            lw_inside inside = lw_window_inside(window, input, y, x);
            for (int32_t channel = 0; channel < depth; channel += LW_LANES) {
                lw_means(params, &inside, depth - channel, output + channel);
                inside.input += LW_LANES;
            }
            output += depth;
        }
    }
}
