/* frexp: x = m * 2^exponent with 0.5 <= |m| < 1 (C99 7.12.6.4); 0, infinity and NaN come back as they are, with 0. */
#include <stdint.h>

double lw_frexp(double x, int *exponent) __asm__("frexp");

#define EXPONENT_OF_HALF 1022u /* biased */
#define SUBNORMAL_SCALE 54     /* 2^54 makes every subnormal normal */

typedef union {
    double value;
    uint64_t bits;
} lw_double;

static uint32_t biased_exponent(lw_double x)
{
    return (uint32_t)(x.bits >> 52) & 0x7FFu;
}

double lw_frexp(double x, int *exponent)
{
    lw_double split = {.value = x};
    int scaled = 0;
    *exponent = 0;
    if (biased_exponent(split) == 0x7FFu || (split.bits << 1) == 0u) {
        return x;
    }
    if (biased_exponent(split) == 0u) {
        split.value *= 0x1p54;
        scaled = SUBNORMAL_SCALE;
    }
    *exponent = (int)biased_exponent(split) - (int)EXPONENT_OF_HALF - scaled;
    split.bits = (split.bits & ~((uint64_t)0x7FFu << 52)) | ((uint64_t)EXPONENT_OF_HALF << 52);
    return split.value;
}
