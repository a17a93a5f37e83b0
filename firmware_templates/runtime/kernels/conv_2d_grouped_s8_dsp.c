/* CONV_2D of several groups, int8, with the multiplications of two 16-bit lanes of Armv7E-M.
 *
 *   output[y, x, g * O + o] = clamp(zo + rescale(b + sum over r, c, i of w[r, c, i] * (in[Y, X, g * I + i] - zi) ))
 *
 * as lw_conv_2d_grouped_s8, whose window this is. Two output positions of a group are laid out side by side in `scratch`
 * (columns_s8_dsp.c), then multiplied with the channels of the group, two at a time (multiply_s8_dsp.c). An odd last
 * channel of a group has a partner of zeros in the tables.
 */
#include "dsp.h"

void lw_conv_2d_grouped_s8_dsp(const lw_grouped_columns_params *params, const int8_t *input, const uint32_t *weights,
                               const lw_channel *channels, uint32_t *scratch, int8_t *output)
{
    lw_window window = params->window;
    const int32_t positions = window.output_height * window.output_width;
    const int32_t outputs = window.output_channels;
    const int32_t even = outputs & ~1;
    const int32_t filled = (outputs + 1) & ~1;
    const int32_t pair_words = params->column_words / 4; /* of weights, for one channel */
    const int32_t last_pair = (positions - 1) & ~1;
    const uint32_t *const end = scratch + params->column_words;
    for (int32_t step = 0; step <= last_pair; step += 2) {
        const int32_t position = params->backward ? last_pair - step : step;
        const uint32_t *group_weights = weights;
        const lw_channel *group_channels = channels;
        int8_t *first = output + position * params->groups * outputs;
        int8_t *second = position + 1 < positions ? first + params->groups * outputs : first;
        for (int32_t group = 0; group < params->groups; group++) {
            window.pad_left = params->window.pad_left - group;
            lw_columns_s8_dsp(&window, params->input_zero_point, input, position, scratch);
            if (even > 0) {
                lw_multiply_s8_dsp(scratch, end, group_weights, group_channels, group_channels + even, first, second,
                                   params->center);
            }
            if (even < outputs) {
                int8_t last[4];
                lw_multiply_s8_dsp(scratch, end, group_weights + even * pair_words, group_channels + even,
                                   group_channels + filled, last, last + 2, params->center);
                first[even] = last[0];
                second[even] = last[2];
            }
            group_weights += filled * pair_words;
            group_channels += filled;
            first += outputs;
            second += outputs;
        }
    }
    lw_narrow(&params->clamp, output);
}
