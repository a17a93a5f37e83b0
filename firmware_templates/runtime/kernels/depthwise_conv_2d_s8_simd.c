/* DEPTHWISE_CONV_2D, int8, per-channel weights, one output for each input channel, sixteen channels at a time (simd.h).
 *
 *   output[y, x, c] = clamp(zo + rescale[c]( b[c] + sum over r, t of w[r, t, c] * (in[Y, X, c] - zi) ))
 *
 * as lw_depthwise_conv_2d_s8, of a copy of the input with its padding. The output may overlap the input.
 */
#include "simd.h"

#define LW_POSITIONS 4

/* All channels of so many positions; `positions` is a constant of the caller. */
static LW_INLINE void lw_positions(const lw_simd_params *params, int32_t positions, const lw_place *places,
                                   const int16_t *weights, const int32_t *channels)
{
    const lw_bytes bytes = params->bytes;
    const int32_t depth = params->window.input_channels;
    const int32_t line = params->window.dilation_y * params->copy_width * depth;
    const int32_t next = params->window.dilation_x * depth;
    for (int32_t first = 0; first < depth; first += LW_LANES) {
        lw_lanes sums[LW_POSITIONS];
        LW_UNROLL
        for (int32_t p = 0; p < positions; p++) {
            sums[p] = lw_load_lanes(channels);
        }
        for (int32_t row = 0; row < params->window.filter_height; row++) {
            int32_t tap = row * line + first;
            for (int32_t column = 0; column < params->window.filter_width; column++) {
                LW_UNROLL
                for (int32_t p = 0; p < positions; p++) {
                    sums[p] = lw_multiply(sums[p], (const int8_t *)places[p].from + tap, weights);
                }
                weights += 2 * LW_LANES;
                tap += next;
            }
        }
        const lw_finish finish = lw_load_finish(channels, &bytes, depth - first);
        LW_UNROLL
        for (int32_t p = 0; p < positions; p++) {
            lw_store_lanes(sums[p], &finish, places[p].to + first);
        }
        channels += LW_CHANNELS;
    }
}

void lw_depthwise_conv_2d_s8_simd(const lw_simd_params *params, const int8_t *input, const int16_t *weights,
                                  const int32_t *channels, int8_t *scratch, int8_t *output)
{
    lw_pad_window(params, input, 0u, (uint8_t *)scratch);
    lw_walk walk = lw_begin(params, (const uint8_t *)scratch, output);
    int32_t left = params->window.output_height * params->window.output_width;
    while (left > 0) {
        const int32_t together = left < LW_POSITIONS ? 1 : LW_POSITIONS;
        lw_place places[LW_POSITIONS];
        for (int32_t p = 0; p < together; p++) {
            places[p] = lw_next_place(params, &walk);
        }
        left -= together;
        if (together == 1) {
            lw_positions(params, 1, places, weights, channels);
        } else {
            lw_positions(params, LW_POSITIONS, places, weights, channels);
        }
    }
}
