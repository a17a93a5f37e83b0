/* softmax.h: what becomes of the sum of a SOFTMAX's exponentials, in fixed point and by masks alone. */
#ifndef LW_SOFTMAX_H
#define LW_SOFTMAX_H

#include "kernels.h"

/* `yes` where `condition` is 1, `no` where it is 0 */
static inline int32_t lw_select(uint32_t condition, int32_t yes, int32_t no)
{
    return (int32_t)((uint32_t)no ^ (((uint32_t)yes ^ (uint32_t)no) & (0u - condition)));
}

/* 1 where x < 0 */
static inline uint32_t lw_negative(int32_t x)
{
    return (uint32_t)x >> 31;
}

/* 1 where x is not 0 */
static inline uint32_t lw_some(uint32_t x)
{
    return (x | (0u - x)) >> 31;
}

/* x * 2^bits, held at the ends of the range */
static inline int32_t lw_shift_saturating(int32_t x, int32_t bits)
{
    const int32_t shifted = (int32_t)((uint32_t)x << bits);
    const uint32_t lost = lw_some((uint32_t)((shifted >> bits) ^ x));
    return lw_select(lost, (x >> 31) ^ INT32_MAX, shifted);
}

/* 1 / (1 + x / 2^31) in Q0.31 for x >= 0 */
static inline int32_t lw_reciprocal(int32_t x)
{
    const int32_t one = INT32_C(1) << 29; /* Q2.29 */
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2); /* (1 + x) / 2 in Q0.31 */
    int32_t y = INT32_C(1515870810) + lw_multiply_high(half, INT32_C(-1010580540)); /* 48/17 - 32/17 * half, Q2.29 */
    for (int32_t i = 0; i < 3; i++) {
        const int32_t rest = one - lw_multiply_high(half, y);
        y += lw_shift_saturating(lw_multiply_high(y, rest), 2);
    }
    return lw_shift_saturating(y, 1);
}

/* Takes an exponential in Q0.31 to its share of a sum: share = round(exponential * scale / 2^exponent). */
typedef struct {
    int32_t scale, exponent;
} lw_softmax_share;

/* `sum` in Q12.19 is not 0. */
static LW_INLINE lw_softmax_share lw_softmax_share_of(uint32_t sum)
{
    uint32_t zeros = 0; /* leading ones of `sum` */
    for (uint32_t bits = 16u; bits > 0u; bits >>= 1) {
        const uint32_t shift = bits * (1u ^ lw_some(sum >> (32u - bits)));
        sum <<= shift;
        zeros += shift;
    }
    const int32_t scale = lw_reciprocal((int32_t)((sum << 1) >> 1));
    lw_softmax_share share;
    share.scale = scale;
    share.exponent = 23 + 12 - (int32_t)zeros;
    return share;
}

#endif /* LW_SOFTMAX_H */
