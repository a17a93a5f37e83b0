/* self_test.h: the golden self-test that every generated model carries. */
#ifndef LW_SELF_TEST_H
#define LW_SELF_TEST_H

#include "leadwire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs `input` (all inputs' bytes in order) through the model and compares all outputs' bytes with `output`. */
lw_status lw_run_self_test(const lw_model *model, const int8_t *input, const int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* LW_SELF_TEST_H */
