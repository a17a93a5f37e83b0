/* AVERAGE_POOL_2D, int8, for windows of at most 255 taps, with the vector instructions of Armv8.1-M, sixteen channels at a
 * time.
 *
 *   output[y, x, c] = clamp(sum / n to the nearest, halves away from 0),
 *   sum over the n taps of the window that lie inside the input of in[Y, X, c]
 *
 * as lw_average_pool_2d_s8: sums in 16-bit lanes. |sum| + n / 2 lies below 2^15, and (2^k / n + 1) / 2^k stands for 1 / n
 * there, with 2^(k - 15) the first power of two that is not below n.
 */
#include "mve.h"

/* 1 / count as multiplier / 2^(16 + shift); not for 1. */
typedef struct {
    int32_t count;
    uint32_t multiplier;
    int32_t shift;
} lw_share;

static lw_share lw_share_of(int32_t count)
{
    lw_share share = {count, 0u, 0};
    while (2 << share.shift < count) {
        share.shift++;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): at least one tap of every window lies inside */
    share.multiplier = (UINT32_C(1) << (16 + share.shift)) / (uint32_t)count + 1u;
    return share;
}

/* At most 16 channels of `rows` times `taps` places, `line` bytes from row to row and `depth` from tap to tap. */
#ifdef LW_MVE

static inline int16x8_t lw_means(int16x8_t sums, const lw_share *share)
{
    if (share->count == 1) {
        return sums;
    }
    const uint16x8_t size = vreinterpretq_u16_s16(vaddq_n_s16(vabsq_s16(sums), (int16_t)(share->count / 2)));
    const uint16x8_t high = vmulhq_u16(size, vdupq_n_u16((uint16_t)share->multiplier));
    const int16x8_t mean = vreinterpretq_s16_u16(vshlq_r_u16(high, -share->shift));
    return vnegq_m_s16(mean, mean, vcmpltq_n_s16(sums, 0));
}

static void lw_sixteen(const int8_t *input, int32_t rows, int32_t taps, int32_t line, int32_t depth,
                       const lw_share *share, int32_t channels, int8_t *output)
{
    const mve_pred16_t some = vctp8q((uint32_t)channels);
    int16x8_t even = vdupq_n_s16(0);
    int16x8_t odd = vdupq_n_s16(0);
    for (; rows > 0; rows--) {
        const int8_t *in = input;
        for (int32_t tap = taps; tap > 0; tap--) {
            const int8x16_t x = vldrbq_z_s8(in, some);
            even = vaddq_s16(even, vmovlbq_s8(x));
            odd = vaddq_s16(odd, vmovltq_s8(x));
            in += depth;
        }
        input += line;
    }
    const int8x16_t bytes = vmovnbq_s16(vdupq_n_s8(0), lw_means(even, share));
    vstrbq_p_s8(output, vmovntq_s16(bytes, lw_means(odd, share)), some);
}

#else

static void lw_sixteen(const int8_t *input, int32_t rows, int32_t taps, int32_t line, int32_t depth,
                       const lw_share *share, int32_t channels, int8_t *output)
{
    for (int32_t i = 0; i < 16 && i < channels; i++) {
        int32_t sum = 0;
        for (int32_t row = 0; row < rows; row++) {
            for (int32_t tap = 0; tap < taps; tap++) {
                sum += input[row * line + tap * depth + i];
            }
        }
        const uint32_t size = (uint32_t)(sum < 0 ? -sum : sum) + (uint32_t)share->count / 2u;
        const int32_t mean = (int32_t)((size * share->multiplier >> 16) >> share->shift);
        output[i] = (int8_t)(share->count == 1 ? sum : sum < 0 ? -mean : mean);
    }
}

#endif

void lw_average_pool_2d_s8_mve(const lw_taps_params *params, const int8_t *input, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->input_channels;
    const int32_t line = window->input_width * depth;
    int8_t *to = output;
    for (int32_t y = 0; y < window->output_height; y++) {
        const int32_t top = y * window->stride_y - window->pad_top;
        lw_inside inside;
        lw_clip(top, 1, window->filter_height, window->input_height, &inside.row_begin, &inside.row_end);
        const int32_t rows = inside.row_end - inside.row_begin;
        for (int32_t x = 0; x < window->output_width; x++) {
            const int32_t left = x * window->stride_x - window->pad_left;
            lw_clip(left, 1, window->filter_width, window->input_width, &inside.tap_begin, &inside.tap_end);
            const int32_t taps = inside.tap_end - inside.tap_begin;
            const lw_share share = lw_share_of(rows * taps);
            inside.input = input + (top + inside.row_begin) * line + (left + inside.tap_begin) * depth;
            for (int32_t first = 0; first < depth; first += 16) {
                lw_sixteen(inside.input + first, rows, taps, line, depth, &share, depth - first, to + first);
            }
            to += depth;
        }
    }
    lw_narrow(&params->clamp, output);
}
