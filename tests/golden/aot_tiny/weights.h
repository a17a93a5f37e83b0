/* leadwire 0.1.0 aot, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: constant tables of the model. */
#ifndef LW_MODEL_TINY_WEIGHTS_H
#define LW_MODEL_TINY_WEIGHTS_H

#include "kernels.h"
#include "leadwire.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const int8_t lw_tiny_op1_weights[6];
extern const int32_t lw_tiny_op1_bias[2];
extern const lw_rescale lw_tiny_op1_rescale[2];
extern const int8_t lw_tiny_op3_weights[4];
extern const int32_t lw_tiny_op3_bias[2];
extern const lw_rescale lw_tiny_op3_rescale[1];

lw_status lw_tiny_self_test(void);

#ifdef __cplusplus
}
#endif

#endif /* LW_MODEL_TINY_WEIGHTS_H */
