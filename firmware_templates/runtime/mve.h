/* mve.h: the kernels for Armv8.1-M with the M-profile vector extension, which work on 16 bytes at a time.
 */
#ifndef LW_MVE_H
#define LW_MVE_H

#include "dsp.h"

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define LW_MVE
#include <arm_mve.h>
#endif

/* A window, how many taps it has, and the output's clamp. */
typedef struct {
    lw_window window;
    int32_t input_zero_point;
    int32_t center;
    int32_t taps;
    int32_t backward; /* from the last position to the first: the output lies above the input that it overlaps */
    lw_clamp_params clamp;
} lw_vector_params;

void lw_conv_2d_s8_mve(const lw_vector_params *params, const int8_t *input, const uint32_t *weights,
                       const int32_t *channels, uint32_t *scratch, int8_t *output);

void lw_depthwise_conv_2d_s8_mve(const lw_taps_params *params, const int8_t *input, const int8_t *weights,
                                 const int32_t *channels, uint32_t *scratch, int8_t *output);

void lw_add_s8_mve(const lw_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void lw_max_pool_2d_s8_mve(const lw_taps_params *params, const int8_t *input, int8_t *output);
void lw_average_pool_2d_s8_mve(const lw_taps_params *params, const int8_t *input, int8_t *output);

#endif /* LW_MVE_H */
