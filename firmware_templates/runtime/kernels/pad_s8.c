/* PAD and PADV2, bytes, up to four dimensions; of int16 tensors the last dimension counts twice and `value` is 0.
 *
 *   output[p + before] = in[p] for every position p of the input, `value` everywhere else
 */
#include "kernels.h"

static int8_t *lw_fill(int8_t *output, int32_t count, int32_t value)
{
    for (; count > 0; count--) {
        *output++ = (int8_t)value;
    }
    return output;
}

void lw_pad_s8(const lw_pad_params *params, const int8_t *input, int8_t *output)
{
    const int32_t *const size = params->size;
    const int32_t *const before = params->before;
    const int32_t *const after = params->after;
    const int32_t row = before[3] + size[3] + after[3];
    const int32_t plane = (before[2] + size[2] + after[2]) * row;
    const int32_t volume = (before[1] + size[1] + after[1]) * plane;
    output = lw_fill(output, before[0] * volume, params->value);
    for (int32_t i = 0; i < size[0]; i++) {
        output = lw_fill(output, before[1] * plane, params->value);
        for (int32_t j = 0; j < size[1]; j++) {
            output = lw_fill(output, before[2] * row, params->value);
            for (int32_t k = 0; k < size[2]; k++) {
                output = lw_fill(output, before[3], params->value);
                for (int32_t l = 0; l < size[3]; l++) {
                    *output++ = *input++;
                }
                output = lw_fill(output, after[3], params->value);
            }
            output = lw_fill(output, after[2] * row, params->value);
        }
        output = lw_fill(output, after[1] * plane, params->value);
    }
    (void)lw_fill(output, after[0] * volume, params->value);
}
