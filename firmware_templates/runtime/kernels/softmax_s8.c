/* SOFTMAX, int8, in fixed point; the output has scale 1/256 and zero point -128.
 *
 *   output[i] = -128 + round(256 * exp(d[i]) / sum over j of exp(d[j])),   d[i] = beta * scale * (in[i] - max(in))
 *
 * d is held in Q5.26, exp in Q0.31, the sum in Q12.19. exp(d) is a polynomial on (-1/4, 0] times one constant for each
 * bit of d above it; 1 / sum is three steps of Newton's method. Every rounding step counts: the order below is the
 * specification. Nothing depends on the data but through masks, so that every input takes the same instructions. May
 * run in place.
 */
#include "softmax.h"

/* exp(x / 2^31) in Q0.31 for x in [-2^29, 0): fourth-order Taylor polynomial around -1/8 */
static int32_t lw_exp_quarter(int32_t x)
{
    const int32_t exp_minus_eighth = INT32_C(1895147668);
    const int32_t third = INT32_C(715827883);
    const int32_t y = x + (INT32_C(1) << 28);
    const int32_t y2 = lw_multiply_high(y, y);
    const int32_t y3 = lw_multiply_high(y2, y);
    const int32_t y4 = lw_multiply_high(y2, y2);
    const int32_t tail =
        lw_divide_by_power(lw_multiply_high(lw_divide_by_power(y4, 2) + y3, third) + y2, 1);
    return exp_minus_eighth + lw_multiply_high(exp_minus_eighth, y + tail);
}

/* exp(x / 2^26) in Q0.31 for x <= 0 */
static int32_t lw_exp(int32_t x)
{
    /* exp(-2^(k - 2)) in Q0.31 */
    static const int32_t factor[] = {INT32_C(1672461947), INT32_C(1302514674), INT32_C(790015084),
                                     INT32_C(290630308),  INT32_C(39332535),   INT32_C(720401),
                                     INT32_C(242)};
    const int32_t quarter = INT32_C(1) << 24;
    const int32_t fraction = (x & (quarter - 1)) - quarter;
    const int32_t quarters = fraction - x; /* a multiple of 1/4 */
    int32_t result = lw_exp_quarter(lw_shift_saturating(fraction, 5));
    for (int32_t k = 0; k < 7; k++) {
        result = lw_select((uint32_t)quarters >> (24 + k) & 1u, lw_multiply_high(result, factor[k]), result);
    }
    return lw_select(lw_some((uint32_t)x), result, INT32_MAX);
}

/* 0 where the difference lies below the smallest that counts */
static int32_t lw_exp_of_difference(const lw_softmax_params *params, int32_t difference)
{
    const uint32_t small = lw_negative(difference - params->diff_min);
    const int32_t held = lw_select(small, params->diff_min, difference);
    return lw_select(small, 0, lw_exp(lw_multiply_high(held * (INT32_C(1) << params->left), params->multiplier)));
}

static void lw_softmax_row(const lw_softmax_params *params, const int8_t *input, int8_t *output)
{
    int32_t max = INT8_MIN;
    for (int32_t i = 0; i < params->depth; i++) {
        max = input[i] > max ? input[i] : max;
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < params->depth; i++) {
        sum += (uint32_t)lw_divide_by_power(lw_exp_of_difference(params, input[i] - max), 12);
    }
    const lw_softmax_share share = lw_softmax_share_of(sum);
    for (int32_t i = 0; i < params->depth; i++) {
        const int32_t part = lw_exp_of_difference(params, input[i] - max);
        const int32_t probability = lw_divide_by_power(lw_multiply_high(share.scale, part), share.exponent);
        output[i] = (int8_t)(lw_select(lw_negative(255 - probability), 255, probability) + INT8_MIN);
    }
}

void lw_softmax_s8(const lw_softmax_params *params, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < params->rows; row++) {
        lw_softmax_row(params, input, output);
        input += params->depth;
        output += params->depth;
    }
}
