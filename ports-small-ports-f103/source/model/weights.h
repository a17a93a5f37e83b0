/* leadwire 0.1.0 aot, model 'ports-small' sha256 320b04716eada15544291193d8cd36ceded8d00e664d7e962b0ed4971fae8bbc: constant tables of the model. */
#ifndef LW_MODEL_PORTS_SMALL_WEIGHTS_H
#define LW_MODEL_PORTS_SMALL_WEIGHTS_H

#include "kernels.h"
#include "leadwire.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const int8_t lw_ports_small_op1_weights[56];
extern const int32_t lw_ports_small_op1_bias[8];
extern const lw_rescale lw_ports_small_op1_rescale[8];
extern const int8_t lw_ports_small_op2_weights[40];
extern const int32_t lw_ports_small_op2_bias[8];
extern const lw_rescale lw_ports_small_op2_rescale[8];
extern const int8_t lw_ports_small_op4_weights[384];
extern const int32_t lw_ports_small_op4_bias[16];
extern const lw_rescale lw_ports_small_op4_rescale[16];
extern const int8_t lw_ports_small_op6_weights[80];
extern const int32_t lw_ports_small_op6_bias[5];
extern const lw_rescale lw_ports_small_op6_rescale[1];

lw_status lw_ports_small_self_test(void);

#ifdef __cplusplus
}
#endif

#endif /* LW_MODEL_PORTS_SMALL_WEIGHTS_H */
