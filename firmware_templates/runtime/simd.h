/* simd.h: the kernels for the processor of a desktop computer or server, sixteen 32-bit lanes at a time; not for
 * firmware. Written three times: with the dot products of AVX-512 VNNI, with AVX2, and in plain C for every other
 * compiler target, which is what the sanitizers see. All three give the bytes of the portable kernels.
 *
 * Convolutions work on a copy of their input with its padding in scratch, so that no window overhangs. It is of unsigned
 * bytes x + 128, as VNNI multiplies them; the generator takes 128 * sum(weights) off the bias. Sums wrap at 32 bits and
 * end inside them, as proven for every convolution. A sum becomes a byte by one rounding instead of two:
 *
 *   (floor(sum * m / 2^31 + 1/2) - (sum < 0 ? 1 : 0)) / 2^right + 1/2 rounded down, which is lw_rescale_s32,
 *   = (sum * m + 2^30 - (sum < 0 ? 2^31 : 0) + 2^(30 + right)) / 2^(31 + right) rounded down
 *
 * Channels are, for every 16, their biases, their multipliers m, right - 1, and of those at even places and then at odd
 * ones 2^30 + (zero point + 1/2) * 2^(31 + right), in 64 bits with the lower half first.
 */
#ifndef LW_SIMD_H
#define LW_SIMD_H

#include "kernels.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define LW_AVX512
#define LW_INSTRUCTIONS "AVX-512 VNNI"
#elif defined(__AVX2__)
#define LW_AVX2
#define LW_INSTRUCTIONS "AVX2"
#else
#define LW_INSTRUCTIONS "plain C"
#endif
#if defined(LW_AVX512) || defined(LW_AVX2)
#include <immintrin.h>
#endif

#define LW_LANES 16
#define LW_CHANNELS (5 * LW_LANES) /* words for 16 channels */

/* Before a loop of a constant length whose array is to become registers. */
#if defined(__clang__)
#define LW_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define LW_UNROLL _Pragma("GCC unroll 8")
#else
#define LW_UNROLL
#endif

/* Where a vector of a table is to be read within one line of the cache. */
#if defined(__GNUC__)
#define LW_ALIGNED __attribute__((aligned(64)))
#else
#define LW_ALIGNED
#endif

/* How sums become bytes. `rectified`: no byte lies below that of 0, so that halves below 0 may be rounded up as those
 * above it. */
typedef struct {
    int32_t rectified;
    int32_t low, high;
} lw_bytes;

/* A window over a copy of the input with its padding, [copy_height, copy_width, channels]. `run` neighbouring bytes lie
 * under a row of the window, `runs` of them; they are filled up to multiples of four taps. */
typedef struct {
    lw_window window;
    int32_t copy_height, copy_width;
    int32_t input_zero_point;
    int32_t runs, run;
    lw_bytes bytes;
} lw_simd_params;

/* weights, for every 16 output channels and every four taps: the four bytes of each channel */
void lw_conv_2d_s8_simd(const lw_simd_params *params, const int8_t *input, const int8_t *weights,
                        const int32_t *channels, int8_t *scratch, int8_t *output);

/* weights, for every 16 channels and every tap: the weight of each channel and a 0 */
void lw_depthwise_conv_2d_s8_simd(const lw_simd_params *params, const int8_t *input, const int16_t *weights,
                                  const int32_t *channels, int8_t *scratch, int8_t *output);

/* A sum as one linear form, as for lw_add_s8_dsp. */
typedef struct {
    int32_t count;
    int32_t multiplier_a, multiplier_b, offset;
    int32_t low, high;
} lw_simd_sum_params;

void lw_add_s8_simd(const lw_simd_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output);

void lw_max_pool_2d_s8_simd(const lw_pool_params *params, const int8_t *input, int8_t *output);
void lw_average_pool_2d_s8_simd(const lw_pool_params *params, const int8_t *input, int8_t *output);

void lw_mean_s8_simd(const lw_mean_params *params, const int8_t *input, int8_t *output);

/* The taps of a pool's window inside the input. */
static LW_INLINE lw_inside lw_window_inside(const lw_window *window, const int8_t *input, int32_t y, int32_t x)
{
    const int32_t top = y * window->stride_y - window->pad_top;
    const int32_t left = x * window->stride_x - window->pad_left;
    lw_inside inside;
    lw_clip(top, 1, window->filter_height, window->input_height, &inside.row_begin, &inside.row_end);
    lw_clip(left, 1, window->filter_width, window->input_width, &inside.tap_begin, &inside.tap_end);
    inside.input = input + ((top + inside.row_begin) * window->input_width + left + inside.tap_begin) *
                               window->input_channels;
    return inside;
}

/* Adds at most 16 bytes to 16 sums. */
static LW_INLINE void lw_add_bytes(const int8_t *bytes, int32_t count, int32_t sums[LW_LANES])
{
    if (count >= LW_LANES) {
        for (int32_t i = 0; i < LW_LANES; i++) {
            sums[i] += bytes[i];
        }
    } else {
        for (int32_t i = 0; i < count; i++) {
            sums[i] += bytes[i];
        }
    }
}

/* At most 16 bytes. */
static LW_INLINE void lw_put_bytes(const int8_t bytes[LW_LANES], int32_t count, int8_t *output)
{
    if (count >= LW_LANES) {
        for (int32_t i = 0; i < LW_LANES; i++) {
            output[i] = bytes[i];
        }
    } else {
        for (int32_t i = 0; i < count; i++) {
            output[i] = bytes[i];
        }
    }
}

/* The input inside its padding, every byte with the bits of `flip` turned over. */
static LW_INLINE void lw_pad_window(const lw_simd_params *params, const int8_t *input, uint8_t flip, uint8_t *copy)
{
    const lw_window *const window = &params->window;
    const int32_t depth = window->input_channels;
    const uint8_t zero = (uint8_t)((uint8_t)params->input_zero_point ^ flip);
    const int32_t before = window->pad_left * depth;
    const int32_t line = params->copy_width * depth;
    const int32_t given = window->input_width * depth;
    const int32_t inside = given < line - before ? given : line - before;
    for (int32_t row = 0; row < params->copy_height; row++) {
        const int32_t from = row - window->pad_top;
        const int32_t some = from >= 0 && from < window->input_height ? inside : 0;
        const int8_t *const in = some ? input + from * given : input;
        for (int32_t i = 0; i < before; i++) {
            copy[i] = zero;
        }
        for (int32_t i = 0; i < some; i++) {
            copy[before + i] = (uint8_t)((uint8_t)in[i] ^ flip);
        }
        for (int32_t i = before + some; i < line; i++) {
            copy[i] = zero;
        }
        copy += line;
    }
    for (int32_t i = 0; i < LW_LANES; i++) { /* what is read behind the last value, and does not count */
        copy[i] = zero;
    }
}

/* An output position: where its window begins in the copy, and where its channels go. */
typedef struct {
    const uint8_t *from;
    int8_t *to;
} lw_place;

/* A walk over the positions of an output: the next one, the row of the copy that it lies in, columns left in it. */
typedef struct {
    lw_place next;
    const uint8_t *row;
    int32_t columns;
} lw_walk;

static LW_INLINE lw_walk lw_begin(const lw_simd_params *params, const uint8_t *copy, int8_t *output)
{
    const lw_walk walk = {{copy, output}, copy, params->window.output_width};
    return walk;
}

static LW_INLINE lw_place lw_next_place(const lw_simd_params *params, lw_walk *walk)
{
    const lw_window *const window = &params->window;
    const lw_place place = walk->next;
    walk->next.from += window->stride_x * window->input_channels;
    walk->next.to += window->output_channels;
    walk->columns--;
    if (walk->columns == 0) {
        walk->row += window->stride_y * params->copy_width * window->input_channels;
        walk->next.from = walk->row;
        walk->columns = window->output_width;
    }
    return place;
}

#ifdef LW_AVX512

typedef __m512i lw_lanes;
typedef __m512i lw_four_taps;

/* How the sums of at most 16 channels become bytes; what is added to the products of even and of odd lanes. */
typedef struct {
    __m512i multiplier, odd_multiplier, even_offset, odd_offset, shift;
    __m128i low, high;
    __mmask16 some;
    bool rectified;
} lw_finish;

static LW_INLINE lw_lanes lw_load_lanes(const int32_t *from)
{
    return _mm512_loadu_si512(from);
}

static LW_INLINE lw_four_taps lw_load_taps(const int8_t *weights)
{
    return _mm512_loadu_si512(weights);
}

/* sums + the four bytes at `x` times the four weights of each lane */
static LW_INLINE lw_lanes lw_dot_taps(lw_lanes sums, const uint8_t *x, lw_four_taps weights)
{
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(four), weights);
}

/* sums + each of 16 bytes times the weight of its lane */
static LW_INLINE lw_lanes lw_multiply(lw_lanes sums, const int8_t *x, const int16_t *weights)
{
    const __m512i wide = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
    return _mm512_dpwssd_epi32(sums, wide, _mm512_loadu_si512(weights));
}

static LW_INLINE lw_finish lw_load_finish(const int32_t *channel, const lw_bytes *bytes, int32_t count)
{
    const __m512i multiplier = lw_load_lanes(channel + LW_LANES);
    const lw_finish finish = {
        .multiplier = multiplier,
        .odd_multiplier = _mm512_srli_epi64(multiplier, 32),
        .even_offset = lw_load_lanes(channel + 3 * LW_LANES),
        .odd_offset = lw_load_lanes(channel + 4 * LW_LANES),
        .shift = lw_load_lanes(channel + 2 * LW_LANES),
        .low = _mm_set1_epi8((char)bytes->low),
        .high = _mm_set1_epi8((char)bytes->high),
        .some = (__mmask16)(count < LW_LANES ? (1u << count) - 1u : 0xffffu),
        .rectified = bytes->rectified != 0,
    };
    return finish;
}

static LW_INLINE void lw_store_lanes(lw_lanes sums, const lw_finish *finish, int8_t *output)
{
    const __m512i odd_sums = _mm512_srli_epi64(sums, 32);
    __m512i even = _mm512_add_epi64(_mm512_mul_epi32(sums, finish->multiplier), finish->even_offset);
    __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(odd_sums, finish->odd_multiplier), finish->odd_offset);
    if (!finish->rectified) {
        const __m512i sign = _mm512_set1_epi64(INT64_C(0x80000000));
        even = _mm512_sub_epi64(even, _mm512_and_si512(sums, sign));
        odd = _mm512_sub_epi64(odd, _mm512_and_si512(odd_sums, sign));
    }
    const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5);
    const __m128i packed = _mm512_cvtsepi32_epi8(_mm512_srav_epi32(high, finish->shift));
    _mm_mask_storeu_epi8(output, finish->some, _mm_min_epi8(_mm_max_epi8(packed, finish->low), finish->high));
}

#elif defined(LW_AVX2)

typedef struct {
    __m256i low, high;
} lw_lanes;

typedef struct {
    __m256i multiplier[2], even_offset[2], odd_offset[2], shift[2];
    __m128i low, high;
    int32_t count;
    bool rectified;
} lw_finish;

/* Of each lane's four weights those of even taps and of odd ones, as 16-bit numbers. */
typedef struct {
    __m256i even[2], odd[2];
} lw_four_taps;

static LW_INLINE __m256i lw_load_8(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static LW_INLINE lw_lanes lw_load_lanes(const int32_t *from)
{
    const lw_lanes lanes = {lw_load_8(from), lw_load_8(from + 8)};
    return lanes;
}

static LW_INLINE lw_four_taps lw_load_taps(const int8_t *weights)
{
    lw_four_taps taps;
    for (int32_t i = 0; i < 2; i++) {
        const __m256i four = lw_load_8(weights + 32 * i);
        taps.even[i] = _mm256_srai_epi16(_mm256_slli_epi16(four, 8), 8);
        taps.odd[i] = _mm256_srai_epi16(four, 8);
    }
    return taps;
}

static LW_INLINE lw_lanes lw_dot_taps(lw_lanes sums, const uint8_t *x, lw_four_taps weights)
{
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    const __m256i even = _mm256_set1_epi32(four & 0x00ff00ff);
    const __m256i odd = _mm256_set1_epi32(four >> 8 & 0x00ff00ff);
    sums.low = _mm256_add_epi32(sums.low, _mm256_add_epi32(_mm256_madd_epi16(even, weights.even[0]),
                                                           _mm256_madd_epi16(odd, weights.odd[0])));
    sums.high = _mm256_add_epi32(sums.high, _mm256_add_epi32(_mm256_madd_epi16(even, weights.even[1]),
                                                             _mm256_madd_epi16(odd, weights.odd[1])));
    return sums;
}

static LW_INLINE lw_lanes lw_multiply(lw_lanes sums, const int8_t *x, const int16_t *weights)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)x);
    const __m256i low = _mm256_cvtepi8_epi32(bytes);
    const __m256i high = _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8));
    sums.low = _mm256_add_epi32(sums.low, _mm256_madd_epi16(low, lw_load_8(weights)));
    sums.high = _mm256_add_epi32(sums.high, _mm256_madd_epi16(high, lw_load_8(weights + 16)));
    return sums;
}

static LW_INLINE lw_finish lw_load_finish(const int32_t *channel, const lw_bytes *bytes, int32_t count)
{
    lw_finish finish;
    for (int32_t i = 0; i < 2; i++) {
        finish.multiplier[i] = lw_load_8(channel + LW_LANES + 8 * i);
        finish.shift[i] = lw_load_8(channel + 2 * LW_LANES + 8 * i);
        finish.even_offset[i] = lw_load_8(channel + 3 * LW_LANES + 8 * i);
        finish.odd_offset[i] = lw_load_8(channel + 4 * LW_LANES + 8 * i);
    }
    finish.low = _mm_set1_epi8((char)bytes->low);
    finish.high = _mm_set1_epi8((char)bytes->high);
    finish.count = count;
    finish.rectified = bytes->rectified != 0;
    return finish;
}

static LW_INLINE __m256i lw_result_8(__m256i sums, const lw_finish *finish, int32_t i)
{
    const __m256i multiplier = finish->multiplier[i];
    const __m256i odd_sums = _mm256_srli_epi64(sums, 32);
    __m256i even = _mm256_add_epi64(_mm256_mul_epi32(sums, multiplier), finish->even_offset[i]);
    __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(odd_sums, _mm256_srli_epi64(multiplier, 32)),
                                   finish->odd_offset[i]);
    if (!finish->rectified) {
        const __m256i sign = _mm256_set1_epi64x(INT64_C(0x80000000));
        even = _mm256_sub_epi64(even, _mm256_and_si256(sums, sign));
        odd = _mm256_sub_epi64(odd, _mm256_and_si256(odd_sums, sign));
    }
    return _mm256_srav_epi32(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa), finish->shift[i]);
}

static LW_INLINE void lw_store_lanes(lw_lanes sums, const lw_finish *finish, int8_t *output)
{
    const __m256i low = lw_result_8(sums.low, finish, 0);
    const __m256i high = lw_result_8(sums.high, finish, 1);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    __m128i packed = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    packed = _mm_min_epi8(_mm_max_epi8(packed, finish->low), finish->high);
    if (finish->count >= LW_LANES) {
        _mm_storeu_si128((__m128i *)(void *)output, packed);
    } else {
        int8_t all[LW_LANES];
        _mm_storeu_si128((__m128i *)(void *)all, packed);
        for (int32_t i = 0; i < finish->count; i++) {
            output[i] = all[i];
        }
    }
}

#else

typedef struct {
    uint32_t at[LW_LANES]; /* signed numbers; sums may wrap */
} lw_lanes;

typedef struct {
    const int8_t *at;
} lw_four_taps;

typedef struct {
    const int32_t *channel;
    lw_bytes bytes;
    int32_t count;
} lw_finish;

static LW_INLINE lw_lanes lw_load_lanes(const int32_t *from)
{
    lw_lanes lanes;
    for (int32_t i = 0; i < LW_LANES; i++) {
        lanes.at[i] = (uint32_t)from[i];
    }
    return lanes;
}

static LW_INLINE lw_four_taps lw_load_taps(const int8_t *weights)
{
    const lw_four_taps taps = {weights};
    return taps;
}

static LW_INLINE lw_lanes lw_dot_taps(lw_lanes sums, const uint8_t *x, lw_four_taps weights)
{
    for (int32_t i = 0; i < LW_LANES; i++) {
        const int8_t *const w = weights.at + 4 * i;
        const int32_t sum = (int32_t)x[0] * w[0] + (int32_t)x[1] * w[1] + (int32_t)x[2] * w[2] + (int32_t)x[3] * w[3];
        sums.at[i] += (uint32_t)sum;
    }
    return sums;
}

static LW_INLINE lw_lanes lw_multiply(lw_lanes sums, const int8_t *x, const int16_t *weights)
{
    for (int32_t i = 0; i < LW_LANES; i++) {
        sums.at[i] += (uint32_t)(x[i] * weights[2 * i]);
    }
    return sums;
}

static LW_INLINE lw_finish lw_load_finish(const int32_t *channel, const lw_bytes *bytes, int32_t count)
{
    lw_finish finish;
    finish.channel = channel;
    finish.bytes = *bytes;
    finish.count = count;
    return finish;
}

static LW_INLINE void lw_store_lanes(lw_lanes sums, const lw_finish *finish, int8_t *output)
{
    for (int32_t i = 0; i < LW_LANES && i < finish->count; i++) {
        const int32_t x = (int32_t)sums.at[i];
        const int32_t shift = finish->channel[2 * LW_LANES + i];
        const int32_t *const offset = finish->channel + (3 + i % 2) * LW_LANES + (i & ~1);
        const int64_t center = (int64_t)((uint64_t)(uint32_t)offset[1] << 32 | (uint32_t)offset[0]);
        const int64_t sign = x < 0 && !finish->bytes.rectified ? INT64_C(1) << 31 : 0;
        const int64_t product = (int64_t)x * finish->channel[LW_LANES + i] + center - sign;
        output[i] = lw_clamp_s8((int32_t)(product >> 32) >> shift, finish->bytes.low, finish->bytes.high);
    }
}

#endif

#endif /* LW_SIMD_H */
