/* CONV_2D, int8, per-channel weights.
 *
 *   output[y, x, o] = clamp(zo + rescale[o]( b[o] + sum over r, c, i of w[o, r, c, i] * (in[Y, X, i] - zi) ))
 *   Y = y * stride_y - pad_top + r * dilation_y,  X = x * stride_x - pad_left + c * dilation_x,  in = zi outside
 *
 * `bias` holds b[o] - zi * sum(w[o]), so that the inner loop multiplies raw bytes; a tap outside adds w * zi.
 * Two output channels at a time, and two output columns where neither overhangs: four products for four loads.
 */
#include "kernels.h"

/* Adds `count` products of two inputs with two weight rows: sums[0] in0 w0, [1] in0 w1, [2] in1 w0, [3] in1 w1. A
 * function of its own, so that all it works with stays in registers; on a core with eight of these for most instructions
 * compilers spill, hence assembly with the sums in the others: 15 instructions for four products. */
#ifdef LW_FEW_REGISTERS

void lw_dot_2x2(const int8_t *in0, const int8_t *in1, const int8_t *w0, const int8_t *w1, int32_t count,
                int32_t sums[4]);

/* r0-r3 ends of inputs and weights, r4 from -count to 0, r8-r11 sums; on the stack count and sums */
__asm__(
    ".syntax unified\n"
    ".section .text.lw_dot_2x2, \"ax\", %progbits\n"
    ".balign 4\n"
    ".type lw_dot_2x2, %function\n"
    ".thumb\n"
    ".thumb_func\n"
    "lw_dot_2x2:\n"
    "    push    {r4-r7, lr}\n"
    "    mov     r4, r8\n"
    "    mov     r5, r9\n"
    "    mov     r6, r10\n"
    "    mov     r7, r11\n"
    "    push    {r4-r7}\n"
    "    ldr     r7, [sp, #40]\n"
    "    ldm     r7!, {r4-r6}\n"
    "    mov     r8, r4\n"
    "    mov     r9, r5\n"
    "    mov     r10, r6\n"
    "    ldr     r4, [r7]\n"
    "    mov     r11, r4\n"
    "    ldr     r4, [sp, #36]\n"
    "    adds    r0, r0, r4\n"
    "    adds    r1, r1, r4\n"
    "    adds    r2, r2, r4\n"
    "    adds    r3, r3, r4\n"
    "    rsbs    r4, r4, #0\n"
    "    beq     2f\n"
    "1:  ldrsb   r5, [r0, r4]\n"
    "    ldrsb   r6, [r1, r4]\n"
    "    ldrsb   r7, [r2, r4]\n"
    "    muls    r7, r5, r7\n"
    "    add     r8, r7\n"
    "    ldrsb   r7, [r2, r4]\n"
    "    muls    r7, r6, r7\n"
    "    add     r10, r7\n"
    "    ldrsb   r7, [r3, r4]\n"
    "    muls    r5, r7, r5\n"
    "    add     r9, r5\n"
    "    muls    r6, r7, r6\n"
    "    add     r11, r6\n"
    "    adds    r4, r4, #1\n"
    "    bne     1b\n"
    "2:  ldr     r7, [sp, #40]\n"
    "    mov     r4, r8\n"
    "    mov     r5, r9\n"
    "    mov     r6, r10\n"
    "    stm     r7!, {r4-r6}\n"
    "    mov     r4, r11\n"
    "    str     r4, [r7]\n"
    "    pop     {r4-r7}\n"
    "    mov     r8, r4\n"
    "    mov     r9, r5\n"
    "    mov     r10, r6\n"
    "    mov     r11, r7\n"
    "    pop     {r4-r7, pc}\n"
    ".size lw_dot_2x2, . - lw_dot_2x2\n"
    ".text\n");

#else

static LW_NOINLINE void lw_dot_2x2(const int8_t *in0, const int8_t *in1, const int8_t *w0, const int8_t *w1,
                                   int32_t count, int32_t sums[4])
{
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    int32_t sum2 = sums[2];
    int32_t sum3 = sums[3];
#define LW_STEP(i)                \
    do {                          \
        const int32_t x = in0[i]; \
        const int32_t y = in1[i]; \
        const int32_t a = w0[i];  \
        sum0 += x * a;            \
        sum2 += y * a;            \
        const int32_t b = w1[i];  \
        sum1 += x * b;            \
        sum3 += y * b;            \
    } while (0)
    const int8_t *end = in0 + (count & ~3);
    while (in0 != end) {
        LW_STEP(0);
        LW_STEP(1);
        LW_STEP(2);
        LW_STEP(3);
        in0 += 4;
        in1 += 4;
        w0 += 4;
        w1 += 4;
    }
    end = in0 + (count & 3);
    while (in0 != end) {
        LW_STEP(0);
        in0++;
        in1++;
        w0++;
        w1++;
    }
#undef LW_STEP
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

#endif

/* The same for one input: sums[0] in w0, [1] in w1. */
static LW_NOINLINE void lw_dot_1x2(const int8_t *in, const int8_t *w0, const int8_t *w1, int32_t count,
                                   int32_t sums[4])
{
    const int8_t *const end = in + count;
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    while (in != end) {
        const int32_t x = *in++;
        sum0 += x * *w0++;
        sum1 += x * *w1++;
    }
    sums[0] = sum0;
    sums[1] = sum1;
}

/* Sum of `rows` stretches of `length` values, `step` apart. */
static LW_NOINLINE int32_t lw_sum(const int8_t *values, int32_t rows, int32_t length, int32_t step)
{
    int32_t sum = 0;
    for (; rows > 0; rows--) {
        const int8_t *const end = values + length;
        while (values != end) {
            sum += *values++;
        }
        values += step - length;
    }
    return sum;
}

/* The sum of a channel's weights outside the input. */
static int32_t lw_outside(const lw_window *window, const lw_inside *inside, const int8_t *weights)
{
    const int32_t channels = window->input_channels;
    const int32_t row_size = window->filter_width * channels;
    const int32_t rows = inside->row_end - inside->row_begin;
    const int8_t *const first = weights + inside->row_begin * row_size;
    const int8_t *const after = weights + inside->row_end * row_size;
    return lw_sum(weights, 1, inside->row_begin * row_size, 0) +
           lw_sum(after, 1, (window->filter_height - inside->row_end) * row_size, 0) +
           lw_sum(first, rows, inside->tap_begin * channels, row_size) +
           lw_sum(first + inside->tap_end * channels, rows, (window->filter_width - inside->tap_end) * channels,
                  row_size);
}

static LW_NOINLINE int8_t lw_store(const lw_convolution_params *params, int32_t sum, const lw_rescale *rescale)
{
    return lw_clamp_s8(lw_rescale_s32(sum, *rescale) + params->output_zero_point, params->activation_min,
                       params->activation_max);
}

/* One output column, or two neighbours that overhang in no column: all channels. */
static void lw_columns(const lw_convolution_params *params, const lw_inside *inside, int32_t columns,
                       const int8_t *weights, const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t channels = window->input_channels;
    const int32_t outputs = window->output_channels;
    const int32_t row_size = window->filter_width * channels;
    const int32_t filter_size = window->filter_height * row_size;
    const int32_t row_step = window->dilation_y * window->input_width * channels;
    const int32_t rows = inside->row_end - inside->row_begin;
    const int32_t taps = inside->tap_end - inside->tap_begin;
    const int32_t skipped = inside->row_begin * row_size + inside->tap_begin * channels;
    const bool clipped = rows != window->filter_height || taps != window->filter_width;
    /* neighbouring taps are one run of bytes, taps that lie apart are runs of one */
    const int32_t run = window->dilation_x == 1 ? taps * channels : channels;
    const int32_t runs = window->dilation_x == 1 ? 1 : taps;
    const int32_t next = window->stride_x * channels;
    for (int32_t channel = 0; channel < outputs; channel += 2) {
        /* an odd last channel is computed twice, the second time onto itself */
        const int32_t second = channel + 1 < outputs ? 1 : 0;
        const int8_t *w0 = weights;
        const int8_t *w1 = weights + second * filter_size;
        int32_t sums[4] = {bias[0], bias[second], bias[0], bias[second]};
        if (clipped) {
            sums[0] += params->input_zero_point * lw_outside(window, inside, w0);
            sums[1] += params->input_zero_point * lw_outside(window, inside, w1);
            sums[2] = sums[0];
            sums[3] = sums[1];
        }
        w0 += skipped;
        w1 += skipped;
        const int8_t *row_input = inside->input;
        for (int32_t row = 0; row < rows; row++) {
            const int8_t *in = row_input;
            for (int32_t i = 0; i < runs; i++) {
                if (columns == 2) {
                    lw_dot_2x2(in, in + next, w0, w1, run, sums);
                } else {
                    lw_dot_1x2(in, w0, w1, run, sums);
                }
                in += window->dilation_x * channels;
                w0 += run;
                w1 += run;
            }
            row_input += row_step;
            w0 += row_size - taps * channels;
            w1 += row_size - taps * channels;
        }
        output[0] = lw_store(params, sums[0], rescale);
        output[second] = lw_store(params, sums[1], rescale + second);
        if (columns == 2) {
            output[outputs] = lw_store(params, sums[2], rescale);
            output[outputs + second] = lw_store(params, sums[3], rescale + second);
        }
        weights += 2 * filter_size;
        bias += 2;
        rescale += 2;
        output += 2;
    }
}

void lw_conv_2d_s8(const lw_convolution_params *params, const int8_t *input, const int8_t *weights,
                   const int32_t *bias, const lw_rescale *rescale, int8_t *output)
{
    const lw_window *const window = &params->window;
    const int32_t row_bytes = window->input_width * window->input_channels;
    const int32_t rows = window->output_height;
    const int32_t width = window->output_width;
    for (int32_t row = 0; row < rows; row++) {
        const int32_t y = params->backward ? rows - 1 - row : row;
        const int32_t top = y * window->stride_y - window->pad_top;
        lw_inside inside;
        lw_clip(top, window->dilation_y, window->filter_height, window->input_height, &inside.row_begin,
                &inside.row_end);
        const int8_t *const first = input + (top + inside.row_begin * window->dilation_y) * row_bytes;
        int32_t columns = 1;
        for (int32_t done = 0; done < width; done += columns) {
            int32_t x = params->backward ? width - 1 - done : done;
            const int32_t low = params->backward ? x - 1 : x;
            columns = low >= window->inner_begin && low + 1 < window->inner_end ? 2 : 1;
            x = columns == 2 ? low : x;
            const int32_t left = x * window->stride_x - window->pad_left;
            lw_clip(left, window->dilation_x, window->filter_width, window->input_width, &inside.tap_begin,
                    &inside.tap_end);
            inside.input = first + (left + inside.tap_begin * window->dilation_x) * window->input_channels;
            lw_columns(params, &inside, columns, weights, bias, rescale,
                       output + (y * width + x) * window->output_channels);
        }
    }
}
