/* sample.h: the benchmark's bytes to the model's inputs, and the model's outputs to the numbers it reports.
 *
 * One value of an input, by LW_MLPERF_INPUT:
 *   LW_SAMPLE_INT8     the byte is the quantized value                                            (kws01)
 *   LW_SAMPLE_UINT8    the byte less 128                                                          (vww01, ic01)
 *   LW_SAMPLE_FLOAT32  four bytes, little-endian IEEE 754: clamp(round(x / scale) + zero_point), ties away from zero;
 *                      NaN is taken for 0                                                         (ad01)
 *
 * The numbers, by LW_MLPERF_RESULT:
 *   LW_RESULT_VALUES   every output value, scale * (quantized - zero_point)
 *   LW_RESULT_ERROR    one number: the mean square of output less input, the input as it was loaded   (ad01)
 */
#ifndef LW_MLPERF_SAMPLE_H
#define LW_MLPERF_SAMPLE_H

#include <stdint.h>

#define LW_SAMPLE_INT8 0
#define LW_SAMPLE_UINT8 1
#define LW_SAMPLE_FLOAT32 2
#define LW_RESULT_VALUES 0
#define LW_RESULT_ERROR 1

/* Bytes of one sample. */
uint32_t lw_sample_bytes(void);

/* Once for a sample of lw_sample_bytes() bytes: what costs time in its conversion. */
void lw_sample_convert(const uint8_t *sample);

/* Before each inference: writes all inputs of the model. `sample` is what was converted. */
void lw_sample_write(const uint8_t *sample);

/* Sends the numbers with commas between. `sample` is what was converted. */
void lw_sample_results(const uint8_t *sample);

#endif /* LW_MLPERF_SAMPLE_H */
