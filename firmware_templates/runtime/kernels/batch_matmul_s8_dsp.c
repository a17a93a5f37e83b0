/* BATCH_MATMUL, int8, with the multiplications of two 16-bit lanes of Armv7E-M; the right matrix may be given turned.
 *
 *   output[b, r, c] = clamp(zo + rescale( sum over k of (left[b, r, k] - zl) * (right[b, k, c] - zr) ))
 *
 * as lw_batch_matmul_s8. Up to 16 columns of the right matrix are widened into `scratch`, less their zero point, in the
 * order of weights (multiply_row_s8_dsp.c), then row after row of the left one behind them. Depth is filled up to a
 * multiple of four with zeros of each matrix, columns with some whose outputs are dropped.
 */
#include "dsp.h"

#define LW_STRIP 16

/* Both lanes of a word less a zero point, once that is added. */
static inline uint32_t lw_less(int32_t zero_point)
{
    const uint32_t lane = (uint32_t)(-zero_point) & 0xffffu;
    return lane | lane << 16;
}

/* Four bytes of a zero point. */
static inline uint32_t lw_zeros(int32_t zero_point)
{
    return ((uint32_t)zero_point & 0xffu) * UINT32_C(0x01010101);
}

/* Up to four bytes as lw_load_4, filled up with those of `zeros`. */
static LW_NOINLINE uint32_t lw_load_filled(const int8_t *bytes, int32_t count, uint32_t zeros)
{
    uint32_t word = zeros;
    LW_ROLLED
    while (count > 0) {
        count--;
        word = word << 8 | (uint8_t)bytes[count];
    }
    return word;
}

/* A row or a turned column: of every four taps the words (t0, t2) and (t1, t3), `apart` words from each other. */
static LW_NOINLINE void lw_widen(const int8_t *taps, int32_t depth, int32_t zero_point, int32_t apart, uint32_t *lanes)
{
    const uint32_t less = lw_less(zero_point);
    const int8_t *const end = taps + (depth & ~3);
    LW_ROLLED
    while (taps != end) {
        const uint32_t word = lw_load_4(taps);
        lanes[0] = lw_add_lanes(lw_even(word), less);
        lanes[apart] = lw_add_lanes(lw_odd(word), less);
        lanes += 2 * apart;
        taps += 4;
    }
    if ((depth & 3) != 0) {
        const uint32_t word = lw_load_filled(taps, depth & 3, lw_zeros(zero_point));
        lanes[0] = lw_add_lanes(lw_even(word), less);
        lanes[apart] = lw_add_lanes(lw_odd(word), less);
    }
}

/* Of two taps of four columns the four pairs of lanes. */
static inline void lw_pairs(uint32_t tap0, uint32_t tap1, uint32_t less, uint32_t *lanes)
{
    const uint32_t even0 = lw_add_lanes(lw_even(tap0), less);
    const uint32_t even1 = lw_add_lanes(lw_even(tap1), less);
    const uint32_t odd0 = lw_add_lanes(lw_odd(tap0), less);
    const uint32_t odd1 = lw_add_lanes(lw_odd(tap1), less);
    lanes[0] = (even0 & 0xffffu) | even1 << 16;
    lanes[1] = (odd0 & 0xffffu) | odd1 << 16;
    lanes[2] = even0 >> 16 | (even1 & 0xffff0000u);
    lanes[3] = odd0 >> 16 | (odd1 & 0xffff0000u);
}

/* Up to four neighbouring columns of [depth, columns]. */
static LW_NOINLINE void lw_four_columns(const lw_matrices_params *params, const int8_t *taps, int32_t count,
                                        uint32_t *lanes)
{
    const uint32_t zeros = lw_zeros(params->right_zero_point);
    const uint32_t less = lw_less(params->right_zero_point);
    LW_ROLLED
    for (int32_t rest = params->depth; rest > 0; rest -= 4) {
        uint32_t words[4] = {zeros, zeros, zeros, zeros};
        LW_ROLLED
        for (int32_t i = 0; i < 4 && i < rest; i++) {
            words[i] = count >= 4 ? lw_load_4(taps) : lw_load_filled(taps, count, zeros);
            taps += params->columns;
        }
        lw_pairs(words[0], words[2], less, lanes);
        lw_pairs(words[1], words[3], less, lanes + 4);
        lanes += 8;
    }
}

/* `count` columns from `first` on; the end of their lanes. */
static uint32_t *lw_widen_columns(const lw_matrices_params *params, const int8_t *right, int32_t first, int32_t count,
                                  uint32_t *lanes)
{
    const int32_t depth = params->depth;
    const int32_t words = (depth + 3) / 4 * 8;
    for (int32_t c = 0; c < count; c += 4) {
        if (params->turned != 0) {
            for (int32_t i = 0; i < 4; i++) {
                const int32_t column = first + (c + i < count ? c + i : count - 1);
                lw_widen(right + column * depth, depth, params->right_zero_point, 4, lanes + i);
            }
        } else {
            lw_four_columns(params, right + first + c, count - c, lanes);
        }
        lanes += words;
    }
    return lanes;
}

/* `count` columns of the output, all rows. */
static void lw_strip(const lw_matrices_params *params, const int8_t *left, const uint32_t *columns, int32_t count,
                     uint32_t *scratch, int8_t *output)
{
    static const int32_t bias[LW_STRIP] = {0};
    const int32_t filled = (count + 3) & ~3;
    const uint32_t *const end = scratch + (params->depth + 3) / 4 * 2;
    int8_t more[LW_STRIP] = {0};
    for (int32_t r = 0; r < params->rows; r++) {
        lw_widen(left, params->depth, params->left_zero_point, 1, scratch);
        lw_multiply_row_wide_s8_dsp(scratch, end, columns, bias, bias + filled, filled == count ? output : more,
                                    &params->scale, 0, params->center);
        if (filled != count) {
            LW_ROLLED
            for (int32_t i = 0; i < count; i++) {
                output[i] = more[i];
            }
        }
        left += params->depth;
        output += params->columns;
    }
}

void lw_batch_matmul_s8_dsp(const lw_matrices_params *params, const int8_t *left, const int8_t *right,
                            uint32_t *scratch, int8_t *output)
{
    const lw_broadcast *const batch = &params->batch;
    const int32_t left_size = params->rows * params->depth;
    const int32_t right_size = params->depth * params->columns;
    for (int32_t i = 0; i < batch->size[0]; i++) {
        for (int32_t j = 0; j < batch->size[1]; j++) {
            for (int32_t k = 0; k < batch->size[2]; k++) {
                for (int32_t l = 0; l < batch->size[3]; l++) {
                    const int32_t a = i * batch->stride_a[0] + j * batch->stride_a[1] + k * batch->stride_a[2] +
                                      l * batch->stride_a[3];
                    const int32_t b = i * batch->stride_b[0] + j * batch->stride_b[1] + k * batch->stride_b[2] +
                                      l * batch->stride_b[3];
                    for (int32_t first = 0; first < params->columns; first += LW_STRIP) {
                        const int32_t rest = params->columns - first;
                        const int32_t count = rest < LW_STRIP ? rest : LW_STRIP;
                        uint32_t *const end = lw_widen_columns(params, right + b * right_size, first, count, scratch);
                        lw_strip(params, left + a * left_size, scratch, count, end, output + first);
                    }
                    output += params->rows * params->columns;
                }
            }
        }
    }
}
