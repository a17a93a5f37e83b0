/* MAX_POOL_2D, int8, with the vector instructions of Armv8.1-M, sixteen channels at a time.
 *
 *   output[y, x, c] = clamp(max over the taps of the window that lie inside the input of in[Y, X, c])
 *
 * as lw_max_pool_2d_s8.
 */
#include "mve.h"

/* At most 16 channels of `rows` times `taps` places, `line` bytes from row to row and `depth` from tap to tap. */
#ifdef LW_MVE

static inline void lw_sixteen(const int8_t *input, int32_t rows, int32_t taps, int32_t line, int32_t depth,
                              int32_t count, int8_t *output)
{
    const mve_pred16_t some = vctp8q((uint32_t)count);
    int8x16_t most = vdupq_n_s8(INT8_MIN);
    for (; rows > 0; rows--) {
        const int8_t *in = input;
        for (int32_t tap = taps; tap > 0; tap--) {
            most = vmaxq_s8(most, vldrbq_z_s8(in, some));
            in += depth;
        }
        input += line;
    }
    vstrbq_p_s8(output, most, some);
}

#else

static inline void lw_sixteen(const int8_t *input, int32_t rows, int32_t taps, int32_t line, int32_t depth,
                              int32_t count, int8_t *output)
{
    for (int32_t i = 0; i < 16 && i < count; i++) {
        int32_t most = INT8_MIN;
        for (int32_t row = 0; row < rows; row++) {
            for (int32_t tap = 0; tap < taps; tap++) {
                const int32_t x = input[row * line + tap * depth + i];
                most = x > most ? x : most;
            }
        }
        output[i] = (int8_t)most;
    }
}

#endif

void lw_max_pool_2d_s8_mve(const lw_taps_params *params, const int8_t *input, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->input_channels;
    const int32_t line = window->input_width * depth;
    int8_t *to = output;
    for (int32_t y = 0; y < window->output_height; y++) {
        const int32_t top = y * window->stride_y - window->pad_top;
        lw_inside inside;
        lw_clip(top, 1, window->filter_height, window->input_height, &inside.row_begin, &inside.row_end);
        for (int32_t x = 0; x < window->output_width; x++) {
            const int32_t left = x * window->stride_x - window->pad_left;
            lw_clip(left, 1, window->filter_width, window->input_width, &inside.tap_begin, &inside.tap_end);
            inside.input = input + (top + inside.row_begin) * line + (left + inside.tap_begin) * depth;
            for (int32_t first = 0; first < depth; first += 16) {
                lw_sixteen(inside.input + first, inside.row_end - inside.row_begin,
                           inside.tap_end - inside.tap_begin, line, depth, depth - first, to + first);
            }
            to += depth;
        }
    }
    lw_narrow(&params->clamp, output);
}
