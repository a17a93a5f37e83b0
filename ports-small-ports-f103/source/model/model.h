/* leadwire 0.1.0 aot, model 'ports-small' sha256 320b04716eada15544291193d8cd36ceded8d00e664d7e962b0ed4971fae8bbc
 *
 * 8 operators, 17456 MACs, arena 976 bytes
 * labels: none
 * real = scale * (quantized - zero_point)
 */
#ifndef LW_MODEL_PORTS_SMALL_H
#define LW_MODEL_PORTS_SMALL_H

#include "leadwire.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LW_MODEL lw_model_ports_small
#define LW_MODEL_DIGEST "320b04716eada15544291193d8cd36ceded8d00e664d7e962b0ed4971fae8bbc"
#define LW_MODEL_ARENA_BYTES 976
#define LW_MODEL_INPUT_BYTES 128
#define LW_MODEL_OUTPUT_BYTES 5
#define LW_MODEL_LABEL_COUNT 0

/* input 0: 'ecg' [1, 128, 1], real = scale * (quantized - zero point) */
#define LW_MODEL_INPUT_0_BYTES 128
#define LW_MODEL_INPUT_0_SCALE 0.0299999993f
#define LW_MODEL_INPUT_0_ZERO_POINT (-9)

/* output 0: 'probability' [1, 5], real = scale * (quantized - zero point) */
#define LW_MODEL_OUTPUT_0_BYTES 5
#define LW_MODEL_OUTPUT_0_SCALE 0.00390625f
#define LW_MODEL_OUTPUT_0_ZERO_POINT (-128)

extern const lw_model lw_model_ports_small;

#ifdef __cplusplus
}
#endif

#endif /* LW_MODEL_PORTS_SMALL_H */
