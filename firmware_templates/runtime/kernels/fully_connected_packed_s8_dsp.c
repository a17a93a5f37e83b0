/* FULLY_CONNECTED of one vector, int8, with weights of at most 16, 4 or 2 values, stored in 4, 2 or 1 bits, on Armv7E-M.
 *
 *   output[o] = clamp(zo + rescale[o]( b[o] + sum over i of w[o, i] * (in[i] - zi) ))
 *
 * as lw_fully_connected_s8. The vector is widened once into `scratch`, then multiplied with four outputs at a time, whose
 * weights come from codes (multiply_row_packed_s8_dsp.c). Depth and outputs are filled up to multiples of four.
 */
#include "packed_dsp.h"

/* A product of a row with four outputs at a time. */
typedef void lw_packed_row_product(const uint32_t *row, const uint32_t *end, const uint32_t *codes, const int32_t *bias,
                        const int32_t *bias_end, int8_t *output, const lw_scale *scale, int32_t scale_bytes,
                        int32_t center, const uint32_t *pairs);

/* `in_word`: of two taps of four channels, the codes that a word holds. */
static LW_INLINE void lw_vector(const lw_row_params *params, lw_packed_row_product *multiply, int32_t in_word,
                                const int8_t *input, const uint32_t *codes, const uint32_t *pairs,
                                const int32_t *bias, const lw_scale *scales, uint32_t *scratch, int8_t *output)
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
        multiply(scratch, row, codes, bias, bias + fours, output, scales, scale_bytes, params->center, pairs);
    }
    if (fours < outputs) {
        int8_t last[4];
        const int32_t words = fours / 4 * (((int32_t)(row - scratch) + in_word - 1) / in_word);
        multiply(scratch, row, codes + words, bias + fours, bias + fours + 4, last, scales + fours * params->scale_step,
                 scale_bytes, params->center, pairs);
        for (int32_t i = fours; i < outputs; i++) {
            output[i] = last[i - fours];
        }
    }
    lw_narrow(&params->clamp, output);
}

void lw_fully_connected_packed_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *codes,
                                      const uint32_t *pairs, const int32_t *bias, const lw_scale *scales,
                                      uint32_t *scratch, int8_t *output)
{
    lw_vector(params, lw_multiply_row_packed_s8_dsp, 1, input, codes, pairs, bias, scales, scratch, output);
}

void lw_fully_connected_packed_2bit_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *codes,
                                           const uint32_t *pairs, const int32_t *bias, const lw_scale *scales,
                                           uint32_t *scratch, int8_t *output)
{
    lw_vector(params, lw_multiply_row_packed_2bit_s8_dsp, 2, input, codes, pairs, bias, scales, scratch, output);
}

void lw_fully_connected_packed_1bit_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *codes,
                                           const uint32_t *pairs, const int32_t *bias, const lw_scale *scales,
                                           uint32_t *scratch, int8_t *output)
{
    lw_vector(params, lw_multiply_row_packed_1bit_s8_dsp, 4, input, codes, pairs, bias, scales, scratch, output);
}
