/* CONV_2D, int8, per-channel weights, sixteen output channels at a time (simd.h).
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * (in[Y, X, i] - zi) ))
 *
 * as lw_conv_2d_s8, of a copy of the input with its padding. The output may overlap the input.
 */
#include "simd.h"

/* Sums that fit the registers: positions times sixteens of channels. */
#ifdef LW_AVX512
#define LW_POSITIONS 8
#define LW_SIXTEENS 2
#else
#define LW_POSITIONS 2
#define LW_SIXTEENS 1
#endif

/* `positions` outputs, 16 * `sixteens` channels of each; both are constants of the caller, so that all sums are
 * registers. Returns the weights behind them. */
static LW_INLINE const int8_t *lw_tile(const lw_simd_params *params, int32_t positions, int32_t sixteens,
                                       const lw_place *places, const int8_t *weights, const int32_t *channels,
                                       int32_t first)
{
    const lw_bytes bytes = params->bytes;
    const int32_t depth = params->window.input_channels;
    const int32_t line = params->window.dilation_y * params->copy_width * depth;
    const int32_t next = params->window.dilation_x * depth;
    const int32_t steps = (params->run + 3) >> 2;
    const int32_t block = params->window.filter_height * params->runs * steps * 4 * LW_LANES;
    lw_lanes sums[LW_POSITIONS][LW_SIXTEENS];
    LW_UNROLL
    for (int32_t i = 0; i < sixteens; i++) {
        LW_UNROLL
        for (int32_t p = 0; p < positions; p++) {
            sums[p][i] = lw_load_lanes(channels + LW_CHANNELS * i);
        }
    }
    for (int32_t row = 0; row < params->window.filter_height; row++) {
        for (int32_t run = 0; run < params->runs; run++) {
            const int32_t start = row * line + run * next;
            for (int32_t tap = start; tap < start + 4 * steps; tap += 4) {
                LW_UNROLL
                for (int32_t i = 0; i < sixteens; i++) {
                    const lw_four_taps four = lw_load_taps(weights + block * i);
                    LW_UNROLL
                    for (int32_t p = 0; p < positions; p++) {
                        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the caller sets it */
                        sums[p][i] = lw_dot_taps(sums[p][i], places[p].from + tap, four);
                    }
                }
                weights += 4 * LW_LANES;
            }
        }
    }
    LW_UNROLL
    for (int32_t i = 0; i < sixteens; i++) {
        const int32_t at = first + LW_LANES * i;
        const lw_finish finish = lw_load_finish(channels + LW_CHANNELS * i, &bytes, params->window.output_channels - at);
        LW_UNROLL
        for (int32_t p = 0; p < positions; p++) {
            /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the caller sets it */
            lw_store_lanes(sums[p][i], &finish, places[p].to + at);
        }
    }
    return weights + block * (sixteens - 1);
}

/* All channels of so many positions. */
static LW_INLINE void lw_positions(const lw_simd_params *params, int32_t positions, const lw_place *places,
                                   const int8_t *weights, const int32_t *channels)
{
    const int32_t outputs = params->window.output_channels;
    int32_t first = 0;
    for (; LW_SIXTEENS > 1 && first + LW_LANES < outputs; first += LW_LANES * LW_SIXTEENS) {
        weights = lw_tile(params, positions, LW_SIXTEENS, places, weights, channels, first);
        channels += LW_CHANNELS * LW_SIXTEENS;
    }
    for (; first < outputs; first += LW_LANES) {
        weights = lw_tile(params, positions, 1, places, weights, channels, first);
        channels += LW_CHANNELS;
    }
}

void lw_conv_2d_s8_simd(const lw_simd_params *params, const int8_t *input, const int8_t *weights,
                        const int32_t *channels, int8_t *scratch, int8_t *output)
{
    lw_pad_window(params, input, 0x80u, (uint8_t *)scratch);
    lw_walk walk = lw_begin(params, (const uint8_t *)scratch, output);
    int32_t left = params->window.output_height * params->window.output_width;
    while (left > 0) {
        /* as many times as the largest number needs, but about as many positions each time */
        const int32_t times = (left + LW_POSITIONS - 1) / LW_POSITIONS;
        const int32_t together = (left + times - 1) / times;
        lw_place places[LW_POSITIONS];
        for (int32_t p = 0; p < together; p++) {
            places[p] = lw_next_place(params, &walk);
        }
        left -= together;
        switch (together) {
#ifdef LW_AVX512
        case 8:
            lw_positions(params, 8, places, weights, channels);
            break;
        case 7:
            lw_positions(params, 7, places, weights, channels);
            break;
        case 6:
            lw_positions(params, 6, places, weights, channels);
            break;
        case 5:
            lw_positions(params, 5, places, weights, channels);
            break;
        case 4:
            lw_positions(params, 4, places, weights, channels);
            break;
        case 3:
            lw_positions(params, 3, places, weights, channels);
            break;
#endif
        case 2:
            lw_positions(params, 2, places, weights, channels);
            break;
        default:
            lw_positions(params, 1, places, weights, channels);
            break;
        }
    }
}
