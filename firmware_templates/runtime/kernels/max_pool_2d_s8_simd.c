/* MAX_POOL_2D, int8, sixteen channels at a time.
 *
 *   output[y, x, c] = clamp(max over the taps of the window that lie inside the input of in[Y, X, c])
 *
 * as lw_max_pool_2d_s8. Loops of a fixed length, which a compiler turns into vectors.
 */
#include "simd.h"

/* At most 16 channels of the taps of a window inside the input. */
static void lw_most(const lw_pool_params *params, const lw_inside *inside, int32_t count, int8_t *output)
{
    const int32_t depth = params->window.input_channels;
    const int32_t line = params->window.input_width * depth;
    int8_t most[LW_LANES];
    for (int32_t i = 0; i < LW_LANES; i++) {
        most[i] = INT8_MIN;
    }
    for (int32_t row = 0; row < inside->row_end - inside->row_begin; row++) {
        for (int32_t tap = 0; tap < inside->tap_end - inside->tap_begin; tap++) {
            const int8_t *const in = inside->input + row * line + tap * depth;
            if (count >= LW_LANES) {
                for (int32_t i = 0; i < LW_LANES; i++) {
                    most[i] = (int8_t)(in[i] > most[i] ? in[i] : most[i]);
                }
            } else {
                for (int32_t i = 0; i < count; i++) {
                    most[i] = (int8_t)(in[i] > most[i] ? in[i] : most[i]);
                }
            }
        }
    }
    for (int32_t i = 0; i < LW_LANES; i++) {
        most[i] = lw_clamp_s8(most[i], params->activation_min, params->activation_max);
    }
    lw_put_bytes(most, count, output);
}

void lw_max_pool_2d_s8_simd(const lw_pool_params *params, const int8_t *input, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->input_channels;
    for (int32_t y = 0; y < window->output_height; y++) {
        for (int32_t x = 0; x < window->output_width; x++) {
            lw_inside inside = lw_window_inside(window, input, y, x);
            for (int32_t channel = 0; channel < depth; channel += LW_LANES) {
                lw_most(params, &inside, depth - channel, output + channel);
                inside.input += LW_LANES;
            }
            output += depth;
        }
    }
}
