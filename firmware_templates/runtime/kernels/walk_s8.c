/* TRANSPOSE, STRIDED_SLICE, SLICE, REVERSE_V2 and RESIZE_NEAREST_NEIGHBOR, bytes: the output in order, the input in
 * strides, which may be negative.
 *
 *   output[i][j][k][l][m] = in[offset + i * stride[0] + j * stride[1] + k * stride[2] + l * stride[3] + m * stride[4]]
 */
#include "kernels.h"

static int8_t *lw_walk_plane(const lw_walk_params *params, const int8_t *input, int8_t *output)
{
    const int32_t step = params->stride[4];
    for (int32_t l = 0; l < params->size[3]; l++) {
        const int32_t row = l * params->stride[3];
        for (int32_t m = 0; m < params->size[4]; m++) {
            *output++ = input[row + m * step];
        }
    }
    return output;
}

void lw_walk_s8(const lw_walk_params *params, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < params->size[0]; i++) {
        for (int32_t j = 0; j < params->size[1]; j++) {
            for (int32_t k = 0; k < params->size[2]; k++) {
                output = lw_walk_plane(params,
                                       input + params->offset + i * params->stride[0] + j * params->stride[1] +
                                           k * params->stride[2],
                                       output);
            }
        }
    }
}
