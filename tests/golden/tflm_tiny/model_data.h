/* leadwire 0.1.0 tflm, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: the .tflite file as an array.
 *
 * SHA-256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc
 * TFLite schema version 3, 1632 bytes, aligned to 64
 */
#ifndef LW_MODEL_TINY_DATA_H
#define LW_MODEL_TINY_DATA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_MODEL_TINY_SCHEMA_VERSION 3
#define LW_MODEL_TINY_DATA_BYTES 1632
#define LW_MODEL_TINY_DATA_ALIGNMENT 64

extern const uint8_t lw_tiny_data[LW_MODEL_TINY_DATA_BYTES];

#ifdef __cplusplus
}
#endif

#endif /* LW_MODEL_TINY_DATA_H */
