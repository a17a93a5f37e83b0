/* leadwire 0.1.0 tflm, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: what model.c and engine.cc share, and the hook of a profiler. */
#ifndef LW_MODEL_TINY_ENGINE_H
#define LW_MODEL_TINY_ENGINE_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The smallest arena in which TensorFlow Lite Micro can set this model up, and the one it is given; -DLW_ARENA_BYTES=n
 * gives it another. Pointers of 64 bits and CMSIS-NN's scratch buffers need more. */
#if UINTPTR_MAX > 0xFFFFFFFFu
#define LW_ARENA_NEEDED_BYTES 2320
#elif defined(CMSIS_NN)
#define LW_ARENA_NEEDED_BYTES 1760
#else
#define LW_ARENA_NEEDED_BYTES 1664
#endif
#ifndef LW_ARENA_BYTES
#if UINTPTR_MAX > 0xFFFFFFFFu
#define LW_ARENA_BYTES 2384
#else
#define LW_ARENA_BYTES LW_MODEL_ARENA_BYTES
#endif
#endif

#define LW_MODEL_TINY_OPERATORS 5
#define LW_MODEL_TINY_OPERATOR_OUTPUTS 5

extern lw_tensor lw_tiny_inputs[1];
extern lw_tensor lw_tiny_outputs[1];
extern lw_arena_use lw_tiny_arena_use;
#ifdef LW_WITH_OPERATOR_TABLE
/* Those of the first operator, then those of the second, and so on. */
extern lw_operator_output lw_tiny_operator_outputs[LW_MODEL_TINY_OPERATOR_OUTPUTS];

/* Called before (end 0) and after (end 1) every operator that runs; NULL for none. */
typedef void (*lw_operator_hook)(uint16_t index, int end);
void lw_tiny_set_operator_hook(lw_operator_hook hook);
#endif

lw_status lw_tiny_init(void);
lw_status lw_tiny_infer(void);
lw_status lw_tiny_step(uint16_t index);
lw_status lw_tiny_self_test(void);
lw_status lw_tiny_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* LW_MODEL_TINY_ENGINE_H */
