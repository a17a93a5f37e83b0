/* kernels.h: one function per operator, its parameters fixed at generation time. Tensors are dense, channels last
 * (height, width, channels), batch 1. A zero point is the quantized value of 0.
 *
 * Names end in the type of the activations: s8, or s16 with int8 weights, int64 biases and zero points 0.
 *
 * Every kernel gives the bytes of TensorFlow Lite Micro's. None keeps state, allocates, recurses or calls a library.
 */
#ifndef LW_KERNELS_H
#define LW_KERNELS_H

#include "requantize.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps an inner loop in a function of its own, where all it works with fits the registers. */
#if defined(__GNUC__)
#define LW_NOINLINE __attribute__((noinline))
#if defined(__thumb__) && !defined(__thumb2__)
#define LW_FEW_REGISTERS /* Armv6-M */
#endif
#define LW_INLINE inline __attribute__((always_inline))
#else
#define LW_NOINLINE
#define LW_INLINE inline
#endif

/* Before a loop that is to stay short: code that more copies of it would not make much faster. */
#if defined(__clang__)
#define LW_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define LW_ROLLED
#endif

/* How a window slides over an input. `inner_begin` and `inner_end` bound the output columns whose window lies inside
 * the input's width; outside of them, and in rows the window overhangs, taps beyond the input read the zero point. */
typedef struct {
    int32_t input_height, input_width, input_channels;
    int32_t filter_height, filter_width;
    int32_t output_height, output_width, output_channels;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_top, pad_left;
    int32_t inner_begin, inner_end;
} lw_window;

/* The taps of a window inside the input, and the input byte of the first of them. */
typedef struct {
    int32_t row_begin, row_end, tap_begin, tap_end;
    const int8_t *input;
} lw_inside;

/* The same of int16. */
typedef struct {
    int32_t row_begin, row_end, tap_begin, tap_end;
    const int16_t *input;
} lw_inside_s16;

/* The sum of so many products of int16 and int8 fits 32 bits, whatever they are: 511 * 2^15 * 2^7 < 2^31. */
#define LW_EXACT 511

/* The taps of `count` at distance `step`, the first at `origin`, that lie in [0, size). The last one does not lie before
 * 0: padding is smaller than a window. */
static inline void lw_clip(int32_t origin, int32_t step, int32_t count, int32_t size, int32_t *begin, int32_t *end)
{
    int32_t tap = 0;
    while (origin + tap * step < 0) {
        tap++;
    }
    *begin = tap;
    while (tap < count && origin + tap * step < size) {
        tap++;
    }
    *end = tap;
}

typedef struct {
    lw_window window;
    int32_t input_zero_point, output_zero_point;
    int32_t activation_min, activation_max;
    int32_t backward; /* from the last position to the first: the output lies above the input that it overlaps */
} lw_convolution_params;

/* weights [output channels, filter height, filter width, input channels]; bias includes - zero point * sum(weights) */
void lw_conv_2d_s8(const lw_convolution_params *params, const int8_t *input, const int8_t *weights,
                   const int32_t *bias, const lw_rescale *rescale, int8_t *output);

/* weights [filter height, filter width, output channels]; bias as above; output_channels is a multiple of
 * input_channels */
void lw_depthwise_conv_2d_s8(const lw_convolution_params *params, const int8_t *input, const int8_t *weights,
                             const int32_t *bias, const lw_rescale *rescale, int8_t *output);

/* weights as of the kernels for int8, bias as in the file */
void lw_conv_2d_s16(const lw_convolution_params *params, const int16_t *input, const int8_t *weights,
                    const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output);
void lw_depthwise_conv_2d_s16(const lw_convolution_params *params, const int16_t *input, const int8_t *weights,
                              const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output);

/* `window` is that of one group, which steps over the others: conv_2d_grouped_s8.c explains it. */
typedef struct {
    lw_window window;
    int32_t groups;
    int32_t input_zero_point, output_zero_point;
    int32_t activation_min, activation_max;
    int32_t backward; /* as above */
} lw_grouped_params;

/* weights [groups * output channels, filter height, filter width, input channels of a group]; bias as above */
void lw_conv_2d_grouped_s8(const lw_grouped_params *params, const int8_t *input, const int8_t *weights,
                           const int32_t *bias, const lw_rescale *rescale, int8_t *output);
/* bias as in the file */
void lw_conv_2d_grouped_s16(const lw_grouped_params *params, const int16_t *input, const int8_t *weights,
                            const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output);

typedef struct {
    int32_t rows;         /* vectors in the input */
    int32_t depth;        /* length of each */
    int32_t outputs;
    int32_t rescale_step; /* 1: one rescale per output, 0: one for all */
    int32_t output_zero_point;
    int32_t activation_min, activation_max;
} lw_fully_connected_params;

/* weights [outputs, depth]; bias as above */
void lw_fully_connected_s8(const lw_fully_connected_params *params, const int8_t *input, const int8_t *weights,
                           const int32_t *bias, const lw_rescale *rescale, int8_t *output);

void lw_fully_connected_s16(const lw_fully_connected_params *params, const int16_t *input, const int8_t *weights,
                            const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output);

/* Four nested loops over the output; an input's stride is 0 along a dimension that it is broadcast over. */
typedef struct {
    int32_t size[4];
    int32_t stride_a[4];
    int32_t stride_b[4];
} lw_broadcast;

typedef struct {
    lw_broadcast shape;
    int32_t zero_point_a, zero_point_b, output_zero_point;
    int32_t sign_b; /* 1: added, -1: subtracted */
    lw_rescale rescale_a, rescale_b, rescale_output;
    int32_t activation_min, activation_max;
} lw_add_params;

void lw_add_s8(const lw_add_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void lw_add_s16(const lw_add_params *params, const int16_t *a, const int16_t *b, int16_t *output);

typedef struct {
    lw_broadcast shape;
    int32_t minimum; /* 1: the smaller, 0: the larger */
} lw_extremum_params;

void lw_extremum_s8(const lw_extremum_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void lw_extremum_s16(const lw_extremum_params *params, const int16_t *a, const int16_t *b, int16_t *output);

typedef struct {
    lw_broadcast shape;
    int32_t zero_point_a, zero_point_b, output_zero_point;
    lw_rescale rescale;
    int32_t activation_min, activation_max;
} lw_mul_params;

void lw_mul_s8(const lw_mul_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void lw_mul_s16(const lw_mul_params *params, const int16_t *a, const int16_t *b, int16_t *output);

/* input [outer, reduced, inner] -> output [outer, inner] */
typedef struct {
    int32_t outer, reduced, inner;
    int32_t offset;     /* - reduced * input zero point */
    int32_t multiplier; /* m / reduced, in units of 2^-31 */
    int32_t left, right;
    int32_t output_zero_point;
} lw_mean_params;

void lw_mean_s8(const lw_mean_params *params, const int8_t *input, int8_t *output);
void lw_mean_s16(const lw_mean_params *params, const int16_t *input, int16_t *output);

typedef struct {
    lw_window window;
    int32_t activation_min, activation_max;
} lw_pool_params;

void lw_max_pool_2d_s8(const lw_pool_params *params, const int8_t *input, int8_t *output);
void lw_average_pool_2d_s8(const lw_pool_params *params, const int8_t *input, int8_t *output);
void lw_max_pool_2d_s16(const lw_pool_params *params, const int16_t *input, int16_t *output);
void lw_average_pool_2d_s16(const lw_pool_params *params, const int16_t *input, int16_t *output);

typedef struct {
    int32_t rows, depth;
    int32_t multiplier; /* input scale * beta in units of 2^(left - 31), for inputs in Q5.26 */
    int32_t left;
    int32_t diff_min;   /* smaller differences to the largest input give probability 0 */
} lw_softmax_params;

void lw_softmax_s8(const lw_softmax_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t rows, depth;
    int32_t last; /* entry of the table for the largest input */
} lw_softmax_table_params;

/* table [last + 1]: the exponentials of differences -last to 0, in Q0.31; smaller differences read the first, then 0 */
void lw_softmax_table_s8(const lw_softmax_table_params *params, const int8_t *input, const uint32_t *table,
                         int8_t *output);

typedef struct {
    int32_t rows, depth;
    lw_rescale rescale; /* input scale * beta in units of 10 / 65535 */
} lw_softmax_s16_params;

void lw_softmax_s16(const lw_softmax_s16_params *params, const int16_t *input, int16_t *output);

typedef struct {
    int32_t count;
    int32_t multiplier, right; /* input scale in units of 1 / 12288 is multiplier / 2^right */
    int32_t bits;              /* of the input between two entries of the table: 9, of TANH 8 */
    int32_t most, middle;      /* the largest value, and that of input 0, in units of 2^-(16 + bits) */
    int32_t offset, down;      /* the output of input 0 and a half, and the bits to shift right to 2^-15 */
} lw_sigmoid_params;

void lw_sigmoid_s16(const lw_sigmoid_params *params, const int16_t *input, int16_t *output);

/* Gates in the order input, forget, output, cell. */
typedef struct {
    int32_t steps, inputs, units;
    lw_rescale rescale_input[4], rescale_hidden[4];
    lw_rescale rescale_forget, rescale_cell, rescale_output;
    lw_sigmoid_params sigmoid, tanh_gate, tanh_cell;
    int32_t cell_min, cell_max;
    int32_t hidden_zero_point;
} lw_lstm_params;

/* input_weights [4, units, inputs], hidden_weights [4, units, units], biases [4, units]; state [5 * units] and units
 * bytes more */
void lw_unidirectional_sequence_lstm_s8(const lw_lstm_params *params, const int8_t *input,
                                        const int8_t *input_weights, const int32_t *input_bias,
                                        const int8_t *hidden_weights, const int32_t *hidden_bias, int8_t *output,
                                        int16_t *state);

typedef struct {
    int32_t count;
    lw_rescale rescale_above, rescale_below; /* of inputs that are not negative, and of those that are */
} lw_leaky_relu_params;

typedef struct {
    int32_t count;
    lw_rescale rescale;
} lw_abs_params;

void lw_abs_s16(const lw_abs_params *params, const int16_t *input, int16_t *output);

void lw_leaky_relu_s16(const lw_leaky_relu_params *params, const int16_t *input, int16_t *output);

/* The last dimension is counted in bytes. */
typedef struct {
    int32_t size[4]; /* of the input */
    int32_t before[4];
    int32_t after[4];
    int32_t value;
} lw_pad_params;

void lw_pad_s8(const lw_pad_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t count;
    int32_t input_zero_point, output_zero_point;
    lw_rescale rescale;
    int32_t activation_min, activation_max;
} lw_requantize_params;

void lw_requantize_s8(const lw_requantize_params *params, const int8_t *input, int8_t *output);
void lw_requantize_s16(const lw_requantize_params *params, const int16_t *input, int16_t *output);
void lw_requantize_s8_s16(const lw_requantize_params *params, const int8_t *input, int16_t *output);
void lw_requantize_s16_s8(const lw_requantize_params *params, const int16_t *input, int8_t *output);

typedef struct {
    int32_t count;
    int32_t low, high;
} lw_clamp_params;

void lw_clamp_values_s8(const lw_clamp_params *params, const int8_t *input, int8_t *output);
void lw_clamp_values_s16(const lw_clamp_params *params, const int16_t *input, int16_t *output);

typedef struct {
    int32_t count;
} lw_lookup_params;

/* table [256]: the outputs for inputs 0 to 127, then for -128 to -1 */
void lw_lookup_s8(const lw_lookup_params *params, const int8_t *input, const int8_t *table, int8_t *output);

/* input [outer, reduced, inner] -> output [outer, inner] */
typedef struct {
    int32_t outer, reduced, inner;
    int32_t minimum; /* 1: the smallest, 0: the largest */
} lw_reduce_params;

void lw_reduce_extremum_s8(const lw_reduce_params *params, const int8_t *input, int8_t *output);
/* output: four bytes for each index */
void lw_arg_extremum_s8(const lw_reduce_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t count;
    int32_t input_bytes, output_bytes; /* of a value */
} lw_cast_params;

void lw_cast_s8(const lw_cast_params *params, const int8_t *input, int8_t *output);

typedef struct {
    lw_broadcast shape; /* a: the input, b: the slopes */
    int32_t input_zero_point, alpha_zero_point, output_zero_point;
    lw_rescale rescale_positive, rescale_negative;
} lw_prelu_params;

void lw_prelu_s8(const lw_prelu_params *params, const int8_t *input, const int8_t *alpha, int8_t *output);

/* Positions in the input in units of 2^-10: position in the output * scale + offset. */
typedef struct {
    int32_t input_height, input_width, channels;
    int32_t output_height, output_width;
    int32_t scale_y, offset_y, scale_x, offset_x;
} lw_resize_params;

void lw_resize_bilinear_s8(const lw_resize_params *params, const int8_t *input, int8_t *output);

/* left [rows, depth] times right [depth, columns] for each batch, whose strides are in matrices; the other strides are
 * in bytes. */
typedef struct {
    lw_broadcast batch;
    int32_t rows, depth, columns;
    int32_t left_row, left_step;
    int32_t right_column, right_step;
    int32_t left_zero_point, right_zero_point, output_zero_point;
    lw_rescale rescale;
} lw_batch_matmul_params;

void lw_batch_matmul_s8(const lw_batch_matmul_params *params, const int8_t *left, const int8_t *right, int8_t *output);

/* The same of int16; the strides are in values. */
typedef struct {
    lw_broadcast batch;
    int32_t rows, depth, columns;
    int32_t left_row, left_step;
    int32_t right_column, right_step;
    lw_wide_rescale rescale;
} lw_batch_matmul_s16_params;

void lw_batch_matmul_s16(const lw_batch_matmul_s16_params *params, const int16_t *left, const int16_t *right,
                         int16_t *output);

/* Taps of a transposed convolution that reach an output position: `count` of them, `stride` apart; each next one reads the place before. */
typedef struct {
    int32_t tap, place, count;
} lw_reach;

static inline lw_reach lw_reaching(int32_t position, int32_t stride, int32_t taps, int32_t places)
{
    lw_reach found;
    found.tap = position % stride;
    found.place = position / stride;
    const int32_t after = found.place - (places - 1);
    if (after > 0) {
        found.tap += after * stride;
        found.place -= after;
    }
    const int32_t left = found.tap < taps ? (taps - found.tap + stride - 1) / stride : 0;
    found.count = left < found.place + 1 ? left : found.place + 1;
    return found;
}

/* weights [output channels, filter height, filter width, input channels]; bias as in the model file. The window slides
 * over the output: its strides and paddings are those of the convolution that this one turns around. */
void lw_transpose_conv_s8(const lw_convolution_params *params, const int8_t *input, const int8_t *weights,
                          const int32_t *bias, const lw_rescale *rescale, int8_t *output);
void lw_transpose_conv_s16(const lw_convolution_params *params, const int16_t *input, const int8_t *weights,
                           const int64_t *bias, const lw_wide_rescale *rescale, int16_t *output);

/* A signal [height, width, channels] and its blocks [block_height * block_width, batch_height, batch_width, channels];
 * `top` and `left` are padded before the signal, or cut off. */
typedef struct {
    int32_t height, width, channels;
    int32_t block_height, block_width;
    int32_t batch_height, batch_width;
    int32_t top, left;
    int32_t value; /* of what is padded */
} lw_blocks_params;

void lw_space_to_batch_nd_s8(const lw_blocks_params *params, const int8_t *input, int8_t *output);
void lw_batch_to_space_nd_s8(const lw_blocks_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t rows, depth;
    int32_t input_zero_point;
} lw_l2_normalization_params;

void lw_l2_normalization_s8(const lw_l2_normalization_params *params, const int8_t *input, int8_t *output);

/* Five nested loops over the output; `offset` and the strides are in bytes of the input. */
typedef struct {
    int32_t size[5];
    int32_t stride[5];
    int32_t offset;
} lw_walk_params;

void lw_walk_s8(const lw_walk_params *params, const int8_t *input, int8_t *output);

/* `runs` times `run` bytes, read every `input_step` bytes from `input_offset` on and written likewise */
typedef struct {
    int32_t runs, run;
    int32_t input_step, input_offset;
    int32_t output_step, output_offset;
} lw_copy_params;

void lw_copy_s8(const lw_copy_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* LW_KERNELS_H */
