/* SOFTMAX, int8, with a table of exponentials; the output has scale 1/256 and zero point -128.
 *
 *   output[i] = -128 + round(256 * exp(d[i]) / sum over j of exp(d[j])),   d[i] = beta * scale * (in[i] - max(in))
 *
 * as lw_softmax_s8. Of 8-bit inputs there are 256 differences at most: the generator computes the exponentials of those
 * that count. Constant time as there. May run in place.
 */
#include "softmax.h"

/* The entry at `place`; all before the first are like it. */
static inline uint32_t lw_entry(const uint32_t *table, int32_t place)
{
    return table[place & ~(place >> 31)];
}

static void lw_softmax_table_row(const lw_softmax_table_params *params, const int8_t *input, const uint32_t *table,
                                 int8_t *output)
{
    const int32_t depth = params->depth;
    int32_t max = INT8_MIN;
    LW_ROLLED
    for (int32_t i = 0; i < depth; i++) {
        const int32_t more = input[i] - max;
        max += more & ~(more >> 31);
    }
    const int32_t offset = params->last - max;
    uint32_t sum = 0;
    LW_ROLLED
    for (int32_t i = 0; i < depth; i++) {
        sum += (lw_entry(table, input[i] + offset) + 2048u) >> 12;
    }
    /* exponents are 23 to 31, shares 256 at most: 255 stands for that one */
    const lw_softmax_share share = lw_softmax_share_of(sum);
    const uint32_t twice = (uint32_t)share.scale * 2u;
    const uint32_t half = UINT32_C(1) << (share.exponent - 1);
    LW_ROLLED
    for (int32_t i = 0; i < depth; i++) {
        const uint64_t product = (uint64_t)lw_entry(table, input[i] + offset) * twice;
        const uint32_t part = (uint32_t)((product + UINT64_C(0x80000000)) >> 32);
        const uint32_t probability = (part + half) >> share.exponent;
        output[i] = (int8_t)((int32_t)(probability - (probability >> 8)) + INT8_MIN);
    }
}

void lw_softmax_table_s8(const lw_softmax_table_params *params, const int8_t *input, const uint32_t *table,
                         int8_t *output)
{
    for (int32_t row = 0; row < params->rows; row++) {
        lw_softmax_table_row(params, input, table, output);
        input += params->depth;
        output += params->depth;
    }
}
