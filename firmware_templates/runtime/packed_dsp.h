/* packed_dsp.h: the kernels for packed weights on Armv7E-M. `codes` and `pairs` as multiply_packed_s8_dsp.c and
 * multiply_row_packed_s8_dsp.c say; names without a number have codes of 4 bits.
 */
#ifndef LW_PACKED_DSP_H
#define LW_PACKED_DSP_H

#include "dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

void lw_multiply_packed_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *codes,
                               const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                               int8_t *output1, int32_t center, const uint32_t *pairs);
void lw_multiply_packed_2bit_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *codes,
                                    const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                                    int8_t *output1, int32_t center, const uint32_t *pairs);
void lw_multiply_packed_1bit_s8_dsp(const uint32_t *columns, const uint32_t *end, const uint32_t *codes,
                                    const lw_channel *channel, const lw_channel *channel_end, int8_t *output0,
                                    int8_t *output1, int32_t center, const uint32_t *pairs);
void lw_multiply_row_packed_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *codes,
                                   const int32_t *bias, const int32_t *bias_end, int8_t *output,
                                   const lw_scale *scale, int32_t scale_bytes, int32_t center, const uint32_t *pairs);
void lw_multiply_row_packed_2bit_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *codes,
                                        const int32_t *bias, const int32_t *bias_end, int8_t *output,
                                        const lw_scale *scale, int32_t scale_bytes, int32_t center,
                                        const uint32_t *pairs);
void lw_multiply_row_packed_1bit_s8_dsp(const uint32_t *row, const uint32_t *end, const uint32_t *codes,
                                        const int32_t *bias, const int32_t *bias_end, int8_t *output,
                                        const lw_scale *scale, int32_t scale_bytes, int32_t center,
                                        const uint32_t *pairs);

void lw_conv_2d_packed_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *codes,
                              const uint32_t *pairs, const lw_channel *channels, uint32_t *scratch, int8_t *output);
void lw_conv_2d_packed_2bit_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *codes,
                                   const uint32_t *pairs, const lw_channel *channels, uint32_t *scratch,
                                   int8_t *output);
void lw_conv_2d_packed_1bit_s8_dsp(const lw_columns_params *params, const int8_t *input, const uint32_t *codes,
                                   const uint32_t *pairs, const lw_channel *channels, uint32_t *scratch,
                                   int8_t *output);

void lw_fully_connected_packed_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *codes,
                                      const uint32_t *pairs, const int32_t *bias, const lw_scale *scales,
                                      uint32_t *scratch, int8_t *output);
void lw_fully_connected_packed_2bit_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *codes,
                                           const uint32_t *pairs, const int32_t *bias, const lw_scale *scales,
                                           uint32_t *scratch, int8_t *output);
void lw_fully_connected_packed_1bit_s8_dsp(const lw_row_params *params, const int8_t *input, const uint32_t *codes,
                                           const uint32_t *pairs, const int32_t *bias, const lw_scale *scales,
                                           uint32_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* LW_PACKED_DSP_H */
