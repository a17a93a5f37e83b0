/* DEPTHWISE_CONV_2D, int8, per-channel weights, one output for each input channel, with the vector instructions of
 * Armv8.1-M.
 *
 *   output[y, x, c] = clamp(zo + rescale[c]( b[c] + sum over r, t of w[r, t, c] * (in[Y, X, c] - zi) ))
 *
 * as lw_depthwise_conv_2d_s8: a tap of sixteen channels at a time. `scratch` holds where each tap lies, and behind that the
 * row of zero points that taps outside of the input read. `weights` are, for every 16 channels and every tap, the byte of
 * each channel. Products of channels at even and at odd places are vectors of their own, and so are sums of every second
 * of those: `channels` are, for every 16, biases, multipliers and shifts of the channels 0, 4, 8, 12, then of 2, 6, 10, 14,
 * of 1, 5, 9, 13 and of 3, 7, 11, 15.
 */
#include "mve.h"

#ifdef LW_MVE

/* The numbers of four sums, before they are held in a byte. */
static inline int32x4_t lw_four(int32x4_t sums, const int32_t *constants, int32_t center)
{
    const int32x4_t high = vaddq_s32(vrmulhq_s32(sums, vldrwq_s32(constants + 4)), sums);
    const int32x4_t shifted = vshlq_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), vnegq_s32(vldrwq_s32(constants + 8)));
    return vshrq_n_s32(vaddq_s32(shifted, vdupq_n_s32(center)), 1);
}

static void lw_sixteen(const int8_t *input, const uint32_t *tap, const uint32_t *end, const int8_t *weights,
                       const int32_t *constants, int32_t center, int32_t count, int8_t *output)
{
    const mve_pred16_t some = vctp8q((uint32_t)count);
    int32x4_t sums0 = vldrwq_s32(constants);
    int32x4_t sums1 = vldrwq_s32(constants + 12);
    int32x4_t sums2 = vldrwq_s32(constants + 24);
    int32x4_t sums3 = vldrwq_s32(constants + 36);
    do {
        const int8x16_t x = vldrbq_z_s8(input + (int32_t)*tap++, some);
        const int8x16_t w = vldrbq_s8(weights);
        const int16x8_t even = vmullbq_int_s8(x, w);
        const int16x8_t odd = vmulltq_int_s8(x, w);
        sums0 = vaddq_s32(sums0, vmovlbq_s16(even));
        sums1 = vaddq_s32(sums1, vmovltq_s16(even));
        sums2 = vaddq_s32(sums2, vmovlbq_s16(odd));
        sums3 = vaddq_s32(sums3, vmovltq_s16(odd));
        weights += 16;
    } while (tap != end);
    int16x8_t even = vqmovnbq_s32(vdupq_n_s16(0), lw_four(sums0, constants, center));
    even = vqmovntq_s32(even, lw_four(sums1, constants + 12, center));
    int16x8_t odd = vqmovnbq_s32(vdupq_n_s16(0), lw_four(sums2, constants + 24, center));
    odd = vqmovntq_s32(odd, lw_four(sums3, constants + 36, center));
    vstrbq_p_s8(output, vqmovntq_s16(vqmovnbq_s16(vdupq_n_s8(0), even), odd), some);
}

#else

static void lw_sixteen(const int8_t *input, const uint32_t *tap, const uint32_t *end, const int8_t *weights,
                       const int32_t *constants, int32_t center, int32_t count, int8_t *output)
{
    for (int32_t i = 0; i < 16 && i < count; i++) {
        /* two bits of the place in a block say which four, the others which of them */
        const int32_t *const constant = constants + 12 * (i % 2 * 2 + i / 2 % 2) + i / 4;
        const int8_t *w = weights + i;
        int32_t sum = constant[0];
        for (const uint32_t *at = tap; at != end; at++) {
            sum += input[(int32_t)*at + i] * *w;
            w += 16;
        }
        output[i] = lw_finish(sum, constant[4], constant[8], center);
    }
}

#endif

void lw_depthwise_conv_2d_s8_mve(const lw_taps_params *params, const int8_t *input, const int8_t *weights,
                                 const int32_t *channels, uint32_t *scratch, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->input_channels;
    const int32_t count = window->filter_height * window->filter_width;
    int8_t *const zeros = (int8_t *)(scratch + count);
    for (int32_t i = 0; i < depth; i++) {
        zeros[i] = (int8_t)params->input_zero_point;
    }
    const uint32_t outside = (uint32_t)(zeros - input); /* both lie in the arena */
    int8_t *to = output;
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
            const int8_t *w = weights;
            const int32_t *constants = channels;
            for (int32_t first = 0; first < depth; first += 16) {
                lw_sixteen(input + first, scratch, tap, w, constants, params->center, depth - first, to + first);
                w += 16 * count;
                constants += 48;
            }
            to += depth;
            left += window->stride_x;
        }
        top += window->stride_y;
    }
    lw_narrow(&params->clamp, output);
}
