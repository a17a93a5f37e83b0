/* L2_NORMALIZATION, int8: every vector divided by its length; the output has scale 1/128 and zero point 0.
 *
 *   output[i] = clamp( (in[i] - zi) * 128 / sqrt(sum over i of (in[i] - zi)^2) ), a length of 0 counts as 1
 *
 * 1 / sqrt(a) is (sqrt(2) / 2) * 1 / sqrt(a / 2) with a = sum * 4^-n in [1/4, 1), by five steps of Newton's method from 1
 * on: x = x * 3/2 - a / 4 * x^3, in units of 2^-28. Without branches on the data.
 */
#include "kernels.h"

typedef struct {
    int32_t multiplier; /* in units of 2^-31 */
    int32_t left, right;
} lw_factor;

/* 128 / sqrt(sum) as a multiplier and a shift. */
static lw_factor lw_inverse_root(int32_t sum)
{
    const int32_t large = ~((sum - (INT32_C(1) << 29)) >> 31); /* all ones where sum >= 2^29 */
    const int32_t tiny = (sum - 2) >> 31;                      /* all ones where sum < 2 */
    int32_t a = (sum >> (large & 2)) | (tiny & 2);
    int32_t shift = 11 - large;
    for (int32_t step = 8; step > 0; step >>= 1) { /* a to [2^27, 2^29), four times as large at each count */
        const int32_t small = (a - (INT32_C(1) << (29 - 2 * step))) >> 31;
        a = (int32_t)((uint32_t)a << (2 * step & small));
        shift -= step & small;
    }
    a >>= 1;
    const int32_t half = (a + 1) >> 1;
    int32_t x = INT32_C(1) << 28;
    for (int32_t i = 0; i < 5; i++) {
        const int32_t cube = lw_multiply_high(lw_multiply_high(x, x), x) * 64;
        x = (lw_multiply_high(3 * (INT32_C(1) << 27), x) - lw_multiply_high(half, cube)) * 8;
    }
    x = lw_multiply_high(x, INT32_C(1518500250)); /* sqrt(2) / 2 */
    const int32_t negative = shift >> 31;
    x *= INT32_C(1) << (-shift & negative);
    shift &= ~negative;
    lw_factor found;
    found.multiplier = x ^ ((x ^ INT32_MAX) & tiny);
    shift = (shift & ~tiny) - 7;
    found.left = -shift & (shift >> 31);
    found.right = shift & ~(shift >> 31);
    return found;
}

void lw_l2_normalization_s8(const lw_l2_normalization_params *params, const int8_t *input, int8_t *output)
{
    const int32_t zero_point = params->input_zero_point;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < params->depth; i++) {
            const int32_t x = input[i] - zero_point;
            sum += x * x;
        }
        const lw_factor factor = lw_inverse_root(sum);
        for (int32_t i = 0; i < params->depth; i++) {
            const int32_t x = (input[i] - zero_point) * (INT32_C(1) << factor.left);
            output[i] = lw_clamp_s8(lw_divide_by_power(lw_multiply_high(x, factor.multiplier), factor.right), INT8_MIN,
                                    INT8_MAX);
        }
        input += params->depth;
        output += params->depth;
    }
}
