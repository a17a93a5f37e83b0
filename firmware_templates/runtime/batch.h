/* batch.h: many inferences in one call, for host programs; not part of a firmware. */
#ifndef LW_BATCH_H
#define LW_BATCH_H

#include "leadwire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `count` times: all inputs' bytes in order from `rows`, infer(), all outputs' bytes in order to `answers`. Stops at the
 * first inference that fails and gives its status. */
lw_status lw_run_batch(const lw_model *model, const int8_t *rows, int8_t *answers, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif /* LW_BATCH_H */
