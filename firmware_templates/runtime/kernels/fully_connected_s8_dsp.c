/* FULLY_CONNECTED of one vector, int8, with the multiplications of two 16-bit lanes of Armv7E-M.
 *
 *   output[o] = clamp(zo + rescale[o]( b[o] + sum over i of w[o, i] * (in[i] - zi) ))
 *
 * as lw_fully_connected_s8. The vector is widened once into `scratch`, then multiplied with four outputs at a time
 * (multiply_row_s8_dsp.c). Weights fill up depth and outputs to multiples of four with zeros.
 */
#include "dsp.h"

/* A product of a row with four outputs at a time, and how many of the weights a word holds. */
typedef void lw_row_product(const uint32_t *row, const uint32_t *end, const uint32_t *weights, const int32_t *bias,
                        const int32_t *bias_end, int8_t *output, const lw_scale *scale, int32_t scale_bytes,
                        int32_t center);

static LW_INLINE void lw_vector(const lw_row_params *params, lw_row_product *multiply, int32_t in_word,
                                const int8_t *input, const uint32_t *weights, const int32_t *bias,
                                const lw_scale *scales, uint32_t *scratch, int8_t *output)
{
    const int32_t outputs = params->outputs;
    const int32_t fours = outputs & ~3;
    const int32_t scale_bytes = params->scale_step * (int32_t)sizeof *scales;
    uint32_t *row = scratch;
    for (int32_t rest = params->depth; rest > 0; rest -= 4) {
        const uint32_t word = rest >= 4 ? lw_load_4(input) : lw_load_some(input, rest);
        row[0] = lw_even(word);
        row[1] = lw_odd(word);
        row += 2;
        input += 4;
    }
    if (fours > 0) {
        multiply(scratch, row, weights, bias, bias + fours, output, scales, scale_bytes, params->center);
    }
    if (fours < outputs) {
        int8_t last[4];
        const int32_t words = fours * (int32_t)(row - scratch) * 2 / in_word;
        multiply(scratch, row, weights + words, bias + fours, bias + fours + 4, last,
                 scales + fours * params->scale_step, scale_bytes, params->center);
        for (int32_t i = fours; i < outputs; i++) {
            output[i] = last[i - fours];
        }
    }
    lw_narrow(&params->clamp, output);
}

void lw_fully_connected_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *weights,
                               const int32_t *bias, const lw_scale *scales, uint32_t *scratch, int8_t *output)
{
    lw_vector(params, lw_multiply_row_s8_dsp, 4, input, weights, bias, scales, scratch, output);
}

void lw_fully_connected_wide_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *weights,
                                    const int32_t *bias, const lw_scale *scales, uint32_t *scratch, int8_t *output)
{
    lw_vector(params, lw_multiply_row_wide_s8_dsp, 2, input, weights, bias, scales, scratch, output);
}
