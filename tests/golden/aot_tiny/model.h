/* leadwire 0.1.0 aot, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc
 *
 * 5 operators, 28 MACs, arena 12 bytes
 * labels: normal, ectopic
 * real = scale * (quantized - zero_point)
 */
#ifndef LW_MODEL_TINY_H
#define LW_MODEL_TINY_H

#include "leadwire.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LW_MODEL lw_model_tiny
#define LW_MODEL_DIGEST "00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc"
#define LW_MODEL_ARENA_BYTES 12
#define LW_MODEL_INPUT_BYTES 6
#define LW_MODEL_OUTPUT_BYTES 2
#define LW_MODEL_LABEL_COUNT 2

/* input 0: 'ecg' [1, 6, 1], real = scale * (quantized - zero point) */
#define LW_MODEL_INPUT_0_TYPE int8_t
#define LW_MODEL_INPUT_0_BYTES 6
#define LW_MODEL_INPUT_0_SCALE 0.5f
#define LW_MODEL_INPUT_0_ZERO_POINT (-3)

/* output 0: 'probability' [1, 2], real = scale * (quantized - zero point) */
#define LW_MODEL_OUTPUT_0_TYPE int8_t
#define LW_MODEL_OUTPUT_0_BYTES 2
#define LW_MODEL_OUTPUT_0_SCALE 0.00390625f
#define LW_MODEL_OUTPUT_0_ZERO_POINT (-128)

extern const lw_model lw_model_tiny;

#ifdef __cplusplus
}
#endif

#endif /* LW_MODEL_TINY_H */
