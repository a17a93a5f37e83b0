/* CONV_2D, int8, per-channel weights, with the vector instructions of Armv8.1-M.
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * (in[Y, X, i] - zi) ))
 *
 * as lw_conv_2d_s8: 16 taps of four output channels at a time. A window that is one run of bytes inside the input is read
 * where it lies, any other is copied to `scratch` with zero points where it overhangs. `weights` are, for every four
 * channels and every 16 taps, the 16 bytes of each channel, filled up with zeros.
 * `channels` are, for every four channels, four biases, four multipliers and four shifts.
 */
#include "mve.h"

#ifdef LW_MVE

static void lw_copy(const int8_t *from, int32_t count, int8_t *to)
{
    for (; count > 0; count -= 16) {
        const mve_pred16_t some = vctp8q((uint32_t)count);
        vstrbq_p_s8(to, vldrbq_z_s8(from, some), some);
        from += 16;
        to += 16;
    }
}

static void lw_fill(int8_t value, int32_t count, int8_t *to)
{
    const int8x16_t values = vdupq_n_s8(value);
    for (; count > 0; count -= 16) {
        vstrbq_p_s8(to, values, vctp8q((uint32_t)count));
        to += 16;
    }
}

/* The bytes of at most four channels; returns the weights behind them. */
static inline const int8_t *lw_four(const int8_t *column, int32_t taps, const int8_t *weights,
                                    const int32_t *constants, int32_t center, int32_t channels, int8_t *output)
{
    int32_t sum0 = 0;
    int32_t sum1 = 0;
    int32_t sum2 = 0;
    int32_t sum3 = 0;
    for (; taps > 0; taps -= 16) {
        const int8x16_t x = vldrbq_z_s8(column, vctp8q((uint32_t)taps));
        sum0 = vmladavaq_s8(sum0, x, vldrbq_s8(weights));
        sum1 = vmladavaq_s8(sum1, x, vldrbq_s8(weights + 16));
        sum2 = vmladavaq_s8(sum2, x, vldrbq_s8(weights + 32));
        sum3 = vmladavaq_s8(sum3, x, vldrbq_s8(weights + 48));
        column += 16;
        weights += 64;
    }
    int32x4_t sums = vdupq_n_s32(sum0);
    sums = vsetq_lane_s32(sum1, sums, 1);
    sums = vsetq_lane_s32(sum2, sums, 2);
    sums = vsetq_lane_s32(sum3, sums, 3);
    sums = vaddq_s32(sums, vldrwq_s32(constants));
    const int32x4_t high = vaddq_s32(vrmulhq_s32(sums, vldrwq_s32(constants + 4)), sums);
    const int32x4_t shifted = vshlq_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), vnegq_s32(vldrwq_s32(constants + 8)));
    const int32x4_t result = vshrq_n_s32(vaddq_s32(shifted, vdupq_n_s32(center)), 1);
    const int32x4_t clamped = vmaxq_s32(vminq_s32(result, vdupq_n_s32(INT8_MAX)), vdupq_n_s32(INT8_MIN));
    vstrbq_p_s32(output, clamped, vctp32q((uint32_t)channels));
    return weights;
}

#else

static void lw_copy(const int8_t *from, int32_t count, int8_t *to)
{
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

static void lw_fill(int8_t value, int32_t count, int8_t *to)
{
    for (; count > 0; count--) {
        *to++ = value;
    }
}

static inline const int8_t *lw_four(const int8_t *column, int32_t taps, const int8_t *weights,
                                    const int32_t *constants, int32_t center, int32_t channels, int8_t *output)
{
    int32_t sums[4] = {constants[0], constants[1], constants[2], constants[3]};
    for (int32_t start = 0; start < taps; start += 16) {
        for (int32_t i = 0; i < 4; i++) {
            for (int32_t lane = 0; lane < 16 && start + lane < taps; lane++) {
                sums[i] += column[start + lane] * weights[lane];
            }
            weights += 16;
        }
    }
    for (int32_t i = 0; i < 4 && i < channels; i++) {
        output[i] = lw_finish(sums[i], constants[4 + i], constants[8 + i], center);
    }
    return weights;
}

#endif

/* The bytes under the window at an output position: in the input, or copied to `scratch`. */
static const int8_t *lw_column(const lw_vector_params *params, const int8_t *input, int32_t position, int8_t *scratch)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t y = position / window->output_width;
    const int32_t top = y * window->stride_y - window->pad_top;
    const int32_t left = (position - y * window->output_width) * window->stride_x - window->pad_left;
    const int32_t width = (window->filter_width - 1) * window->dilation_x + 1;
    const int8_t zero = (int8_t)params->input_zero_point;
    const bool within = left >= 0 && left + width <= window->input_width;
    const int32_t run = window->filter_width * channels;
    int8_t *to = scratch;
    for (int32_t row = 0; row < window->filter_height; row++) {
        const int32_t at = top + row * window->dilation_y;
        if (at < 0 || at >= window->input_height) {
            lw_fill(zero, run, to);
            to += run;
            continue;
        }
        const int8_t *const line = input + at * window->input_width * channels;
        if (within && window->dilation_x == 1) {
            if (window->filter_height == 1) {
                return line + left * channels;
            }
            lw_copy(line + left * channels, run, to);
            to += run;
            continue;
        }
        for (int32_t tap = 0; tap < window->filter_width; tap++) {
            const int32_t x = left + tap * window->dilation_x;
            if (x >= 0 && x < window->input_width) {
                lw_copy(line + x * channels, channels, to);
            } else {
                lw_fill(zero, channels, to);
            }
            to += channels;
        }
    }
    return scratch;
}

void lw_conv_2d_s8_mve(const lw_vector_params *params, const int8_t *input, const uint32_t *weights,
                       const int32_t *channels, uint32_t *scratch, int8_t *output)
{
    const int32_t positions = params->window.output_height * params->window.output_width;
    const int32_t outputs = params->window.output_channels;
    for (int32_t step = 0; step < positions; step++) {
        const int32_t position = params->backward ? positions - 1 - step : step;
        const int8_t *const column = lw_column(params, input, position, (int8_t *)scratch);
        const int8_t *w = (const int8_t *)weights;
        const int32_t *constants = channels;
        int8_t *out = output + position * outputs;
        for (int32_t rest = outputs; rest > 0; rest -= 4) {
            w = lw_four(column, params->taps, w, constants, params->center, rest, out);
            constants += 12;
            out += 4;
        }
    }
    lw_narrow(&params->clamp, output);
}
