/* packed.h: kernels whose weights take at most 16, 4 or 2 values (the levels of a layer) and are stored as codes of 4, 2
 * or 1 bits. They give the bytes of the kernels for int8 weights.
 */
#ifndef LW_PACKED_H
#define LW_PACKED_H

#include "kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Output positions for which weights are unpacked once, and channels that are unpacked together. */
#define LW_TOGETHER 8
#define LW_CHANNELS 4

typedef struct {
    lw_convolution_params convolution;
    int32_t bits; /* of a code: 4, 2 or 1 */
} lw_packed_params;

/* codes [output channels, taps], the first in the lowest bits, each channel from a byte on; bias and rescale as of
 * lw_conv_2d_s8; scratch: LW_TOGETHER * LW_CHANNELS, LW_TOGETHER + LW_CHANNELS times the taps, and 7 */
void lw_conv_2d_packed_s8(const lw_packed_params *params, const int8_t *input, const uint8_t *codes,
                          const int8_t *levels, const int32_t *bias, const lw_rescale *rescale, int8_t *scratch,
                          int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* LW_PACKED_H */
