/* FULLY_CONNECTED, int16 with int8 weights per tensor or per output and int64 biases.
 *
 *   output[r, o] = clamp(rescale[o]( b[o] + sum over i of w[o, i] * in[r, i] ))
 *
 * Two outputs at a time.
 */
#include "kernels.h"

/* Adds the products of one input with two weight rows. A function of its own, so that all it works with stays in
 * registers. */
static LW_NOINLINE void lw_dot_2(const int16_t *in, const int8_t *w0, const int8_t *w1, int32_t count, int64_t sums[2])
{
    while (count > 0) {
        const int32_t part = count < LW_EXACT ? count : LW_EXACT;
        const int16_t *const end = in + part;
        int32_t sum0 = 0;
        int32_t sum1 = 0;
        while (in != end) {
            const int32_t x = *in++;
            sum0 += x * *w0++;
            sum1 += x * *w1++;
        }
        sums[0] += sum0;
        sums[1] += sum1;
        count -= part;
    }
}

void lw_fully_connected_s16(const lw_fully_connected_params *params, const int16_t *input, const int8_t *weights,
                            const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; row++) {
        const int8_t *w = weights;
        for (int32_t o = 0; o < params->outputs; o += 2) {
            /* an odd last output is computed twice, the second time onto itself */
            const int32_t second = o + 1 < params->outputs ? 1 : 0;
            int64_t sums[2] = {bias[o], bias[o + second]};
            lw_dot_2(input, w, w + second * depth, depth, sums);
            for (int32_t i = 0; i <= second; i++) {
                output[o + i] = lw_clamp_s16(lw_rescale_s64(sums[i], rescale[(o + i) * params->rescale_step]),
                                             params->activation_min, params->activation_max);
            }
            w += 2 * depth;
        }
        input += depth;
        output += params->outputs;
    }
}
