/* requantize.h: from an accumulator back to int8 or int16, in the arithmetic of TensorFlow Lite Micro.
 *
 * Of 32 bits, rounded twice:
 *
 *   real factor M = (m / 2^31) * 2^(left - right),   m in [2^30, 2^31), at most one of left and right not 0
 *   high(x)    = floor(x * 2^left * m / 2^31 + 1/2)           halves go up
 *   rescale(x) = high(x) / 2^right to the nearest              halves go away from 0
 *
 * Of 64 bits, for sums of int16 * int8, rounded once, the factor rounded to 15 bits:
 *
 *   rescale(x) = floor(x * multiplier / 2^shift + 1/2)
 *
 * Right shifts of negative values are arithmetic, as on every compiler for our targets; LW_ARITHMETIC_SHIFT asserts it.
 * The generator proves for every rescale that no intermediate value leaves 32 bits (|x| < 2^47 of the second kind),
 * whatever the input.
 */
#ifndef LW_REQUANTIZE_H
#define LW_REQUANTIZE_H

#include <stdint.h>

typedef char LW_ARITHMETIC_SHIFT[((-3 >> 1) == -2) ? 1 : -1];

/* `multiplier` is 2 * m - 2^32, so that high(x) is one rounded high word plus x and needs no 64-bit shift. */
typedef struct {
    int32_t multiplier;
    uint8_t left;
    uint8_t right; /* at most 30 */
} lw_rescale;

static inline int32_t lw_rescale_s32(int32_t x, lw_rescale rescale)
{
    const int32_t shifted = (int32_t)((uint32_t)x << rescale.left);
    const int32_t high =
        (int32_t)(((int64_t)shifted * rescale.multiplier + INT64_C(0x80000000)) >> 32) + shifted;
    const int32_t nudge = ((int32_t)(UINT32_C(1) << rescale.right) + (high >> 31)) >> 1;
    return (high + nudge) >> rescale.right;
}

typedef struct {
    int16_t multiplier; /* not negative */
    uint8_t shift;      /* 8 to 46 */
} lw_wide_rescale;

static inline int32_t lw_rescale_s64(int64_t x, lw_wide_rescale rescale)
{
    return (int32_t)((x * rescale.multiplier + (INT64_C(1) << (rescale.shift - 1))) >> rescale.shift);
}

/* floor(a * b / 2^31 + 1/2): the rounded product of two numbers in units of 2^-31; not both may be -2^31. */
static inline int32_t lw_multiply_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + INT64_C(0x40000000)) >> 31);
}

/* x / 2^exponent to the nearest, halves away from 0; exponent 0..31. */
static inline int32_t lw_divide_by_power(int32_t x, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

static inline int8_t lw_clamp_s8(int32_t x, int32_t low, int32_t high)
{
    x = x < low ? low : x;
    return (int8_t)(x > high ? high : x);
}

static inline int16_t lw_clamp_s16(int32_t x, int32_t low, int32_t high)
{
    x = x < low ? low : x;
    return (int16_t)(x > high ? high : x);
}

#endif /* LW_REQUANTIZE_H */
