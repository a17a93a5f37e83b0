/* dsp.h: the instructions of Armv7E-M that the _dsp kernels are written in, and the same in plain C for every other
 * compiler target, so that their logic runs on a host under sanitizers.
 *
 * A word holds two signed 16-bit lanes or four signed bytes. Of the bytes b0..b3 of a word, lw_even widens b0 and b2,
 * lw_odd b1 and b3; inputs and weights are split alike, so that no lane is ever moved.
 */
#ifndef LW_DSP_H
#define LW_DSP_H

#include "kernels.h"

/* How a sum becomes a byte:
 *   output = clamp8((((high + (high < 0 ? -1 : 0)) >> shift) + center) >> 1)
 *   high = sum + floor(sum * multiplier / 2^32 + 1/2),   center = 2 * zero point + 1
 * which is lw_rescale_s32 to the right by shift + 1, and the output's zero point. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
} lw_scale;

/* One output channel; its bias with - zero point * sum of the weights. */
typedef struct {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
} lw_channel;

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
#define LW_DSP
#endif

#ifdef LW_DSP

static inline uint32_t lw_even(uint32_t x)
{
    uint32_t y;
    __asm__("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t lw_odd(uint32_t x)
{
    uint32_t y;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

/* sum + a.low * b.low + a.high * b.high */
static inline int32_t lw_dot_lanes(uint32_t a, uint32_t b, int32_t sum)
{
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* sum + a.low * b.low */
static inline int32_t lw_dot_low(uint32_t a, uint32_t b, int32_t sum)
{
    __asm__("smlabb %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* sum + a.high * b.high */
static inline int32_t lw_dot_high(uint32_t a, uint32_t b, int32_t sum)
{
    __asm__("smlatt %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* x + floor(x * multiplier / 2^32 + 1/2) */
static inline int32_t lw_scale_high(int32_t x, int32_t multiplier)
{
    __asm__("smmlar %0, %0, %1, %0" : "+r"(x) : "r"(multiplier));
    return x;
}

static inline int32_t lw_saturate_s8(int32_t x)
{
    __asm__("ssat %0, #8, %0" : "+r"(x));
    return x;
}

static inline int32_t lw_add_saturating(int32_t a, int32_t b)
{
    __asm__("qadd %0, %0, %1" : "+r"(a) : "r"(b));
    return a;
}

/* x / 2^22 rounded down, as a byte. */
static inline int32_t lw_saturate_shifted(int32_t x)
{
    __asm__("ssat %0, #8, %0, asr #22" : "+r"(x));
    return x;
}

/* The larger of each pair of signed bytes. */
static inline uint32_t lw_max_bytes(uint32_t a, uint32_t b)
{
    uint32_t y;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(y) : "r"(a), "r"(b));
    return y;
}

/* Adds the two lanes of a pair of words. */
static inline uint32_t lw_add_lanes(uint32_t a, uint32_t b)
{
    uint32_t y;
    __asm__("sadd16 %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
    return y;
}

#else

static inline int32_t lw_low(uint32_t x)
{
    return (int16_t)(x & 0xffffu);
}

static inline int32_t lw_high(uint32_t x)
{
    return (int16_t)(x >> 16);
}

static inline uint32_t lw_even(uint32_t x)
{
    return ((uint32_t)(int8_t)(x & 0xffu) & 0xffffu) | (uint32_t)(int8_t)(x >> 16 & 0xffu) << 16;
}

static inline uint32_t lw_odd(uint32_t x)
{
    return lw_even(x >> 8);
}

static inline int32_t lw_dot_lanes(uint32_t a, uint32_t b, int32_t sum)
{
    return sum + lw_low(a) * lw_low(b) + lw_high(a) * lw_high(b);
}

static inline int32_t lw_dot_low(uint32_t a, uint32_t b, int32_t sum)
{
    return sum + lw_low(a) * lw_low(b);
}

static inline int32_t lw_dot_high(uint32_t a, uint32_t b, int32_t sum)
{
    return sum + lw_high(a) * lw_high(b);
}

static inline int32_t lw_scale_high(int32_t x, int32_t multiplier)
{
    return (int32_t)(((int64_t)x * multiplier + INT64_C(0x80000000)) >> 32) + x;
}

static inline int32_t lw_saturate_s8(int32_t x)
{
    return lw_clamp_s8(x, INT8_MIN, INT8_MAX);
}

static inline int32_t lw_add_saturating(int32_t a, int32_t b)
{
    const int64_t sum = (int64_t)a + b;
    return (int32_t)(sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum);
}

static inline int32_t lw_saturate_shifted(int32_t x)
{
    return lw_clamp_s8(x >> 22, INT8_MIN, INT8_MAX);
}

static inline uint32_t lw_max_bytes(uint32_t a, uint32_t b)
{
    uint32_t most = 0;
    for (int32_t i = 0; i < 32; i += 8) {
        const uint32_t x = a >> i & 0xffu;
        const uint32_t y = b >> i & 0xffu;
        most |= ((x ^ 0x80u) > (y ^ 0x80u) ? x : y) << i;
    }
    return most;
}

static inline uint32_t lw_add_lanes(uint32_t a, uint32_t b)
{
    return ((a + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
}

#endif

/* Four bytes from any address, the first in the lowest bits. */
static inline uint32_t lw_load_4(const int8_t *bytes)
{
#if defined(__ARM_FEATURE_UNALIGNED)
    uint32_t word;
    __builtin_memcpy(&word, bytes, 4);
    return word;
#else
    return (uint32_t)(uint8_t)bytes[0] | (uint32_t)(uint8_t)bytes[1] << 8 | (uint32_t)(uint8_t)bytes[2] << 16 |
           (uint32_t)(uint8_t)bytes[3] << 24;
#endif
}

static inline void lw_store_4(int8_t *bytes, uint32_t word)
{
#if defined(__ARM_FEATURE_UNALIGNED)
    __builtin_memcpy(bytes, &word, 4);
#else
    for (int32_t i = 0; i < 4; i++) {
        bytes[i] = (int8_t)(word >> 8 * i & 0xffu);
    }
#endif
}

/* 1 to 3 bytes in the same way; the rest is 0. */
static inline uint32_t lw_load_some(const int8_t *bytes, int32_t count)
{
    uint32_t word = 0;
    for (int32_t i = 0; i < count; i++) {
        word |= (uint32_t)(uint8_t)bytes[i] << 8 * i;
    }
    return word;
}

/* The byte of a sum. */
static inline int8_t lw_finish(int32_t sum, int32_t multiplier, int32_t shift, int32_t center)
{
    const int32_t high = lw_scale_high(sum, multiplier);
    return (int8_t)lw_saturate_s8((((high + (high >> 31)) >> shift) + center) >> 1);
}

/* Clamps that are narrower than a byte, over a whole output; most are not. */
static inline void lw_narrow(const lw_clamp_params *clamp, int8_t *output)
{
    if (clamp->low > INT8_MIN || clamp->high < INT8_MAX) {
        lw_clamp_values_s8(clamp, output, output);
    }
}

/* A window, how many words its columns take, and the output's clamp. */
typedef struct {
    lw_window window;
    int32_t input_zero_point;
    int32_t center;
    int32_t column_words;
    int32_t backward; /* from the last position to the first: the output lies above the input that it overlaps */
    lw_clamp_params clamp;
} lw_columns_params;

/* The same of one group of several, whose window steps over the others. */
typedef struct {
    lw_window window;
    int32_t groups;
    int32_t input_zero_point;
    int32_t center;
    int32_t column_words;
    int32_t backward;
    lw_clamp_params clamp;
} lw_grouped_columns_params;

/* A vector and its outputs. */
typedef struct {
    int32_t depth, outputs;
    int32_t center;
    int32_t scale_step; /* 1: one scale for each output, 0: one for all */
    lw_clamp_params clamp;
} lw_row_params;

/* A window over channels that are not mixed; a pool has neither zero point nor center. */
typedef struct {
    lw_window window;
    int32_t input_zero_point;
    int32_t center;
    lw_clamp_params clamp;
} lw_taps_params;

/* As lw_batch_matmul_params, with rows of the left matrix in one piece. */
typedef struct {
    lw_broadcast batch;
    int32_t rows, depth, columns;
    int32_t turned; /* 1: right is [columns, depth], 0: [depth, columns] */
    int32_t left_zero_point, right_zero_point;
    int32_t center;
    lw_scale scale;
} lw_matrices_params;

/* A sum as one linear form, found and proven by the generator. */
typedef struct {
    int32_t multiplier_a, multiplier_b, offset;
    lw_clamp_params clamp;
} lw_sum_params;

void lw_columns_s8_dsp(const lw_window *window, int32_t zero_point, const int8_t *input, int32_t position,
                       uint32_t *columns);

void lw_multiply_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *weights,
                        const lw_channel *channel, const lw_channel *channel_end, int8_t *output0, int8_t *output1,
                        int32_t center);
void lw_multiply_wide_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *weights,
                             const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                             int8_t *output1, int32_t center);
void lw_multiply_row_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *weights, const int32_t *bias,
                            const int32_t *bias_end, int8_t *output, const lw_scale *scale, int32_t scale_bytes,
                            int32_t center);
void lw_multiply_row_wide_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *weights,
                                 const int32_t *bias, const int32_t *bias_end, int8_t *output, const lw_scale *scale,
                                 int32_t scale_bytes, int32_t center);
void lw_multiply_taps_s8_dsp(const uint32_t *taps, const uint32_t *end, const int8_t *input, const uint32_t *weights,
                             const lw_channel *channel, const lw_channel *channel_end, int8_t *output,
                             int32_t center);

void lw_conv_2d_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *weights,
                       const lw_channel *channels, uint32_t *scratch, int8_t *output);
/* with weights as 16-bit lanes */
void lw_conv_2d_wide_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *weights,
                            const lw_channel *channels, uint32_t *scratch, int8_t *output);

void lw_conv_2d_grouped_s8_dsp(const lw_grouped_columns_params *params, const int8_t *input, const uint32_t *weights,
                               const lw_channel *channels, uint32_t *scratch, int8_t *output);

void lw_fully_connected_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *weights,
                               const int32_t *bias, const lw_scale *scales, uint32_t *scratch, int8_t *output);
void lw_fully_connected_wide_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *weights,
                                    const int32_t *bias, const lw_scale *scales, uint32_t *scratch, int8_t *output);

/* scratch [2 * depth filled up to a multiple of four * (1 + columns filled up likewise, 16 at most)] bytes */
void lw_batch_matmul_s8_dsp(const lw_matrices_params *params, const int8_t *left, const int8_t *right,
                            uint32_t *scratch, int8_t *output);

void lw_depthwise_conv_2d_s8_dsp(const lw_taps_params *params, const int8_t *input, const uint32_t *weights,
                                 const lw_channel *channels, uint32_t *scratch, int8_t *output);

void lw_add_s8_dsp(const lw_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void lw_max_pool_2d_s8_dsp(const lw_taps_params *params, const int8_t *input, int8_t *output);
void lw_average_pool_2d_s8_dsp(const lw_taps_params *params, const int8_t *input, int8_t *output);

#endif /* LW_DSP_H */
