/* ADD, int8, of two tensors of the same shape, with the vector instructions of Armv8.1-M.
 *
 *   output = clamp8(clamp32(a * multiplier_a + offset + b * multiplier_b) / 2^22 rounded down)
 *
 * as lw_add_s8_dsp, four values at a time. May run in place of an input.
 */
#include "mve.h"

#ifdef LW_MVE

static void lw_sums(const lw_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const int32x4_t offset = vdupq_n_s32(params->offset);
    for (int32_t left = params->clamp.count; left > 0; left -= 4) {
        const mve_pred16_t some = vctp32q((uint32_t)left);
        const int32x4_t one = vmlaq_n_s32(offset, vldrbq_z_s32(a, some), params->multiplier_a);
        const int32x4_t other = vmulq_n_s32(vldrbq_z_s32(b, some), params->multiplier_b);
        const int32x4_t sum = vshrq_n_s32(vqaddq_s32(one, other), 22);
        vstrbq_p_s32(output, vmaxq_s32(vminq_s32(sum, vdupq_n_s32(INT8_MAX)), vdupq_n_s32(INT8_MIN)), some);
        a += 4;
        b += 4;
        output += 4;
    }
}

#else

static void lw_sums(const lw_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    for (int32_t i = 0; i < params->clamp.count; i++) {
        const int32_t one = a[i] * params->multiplier_a + params->offset;
        output[i] = (int8_t)lw_saturate_shifted(lw_add_saturating(one, b[i] * params->multiplier_b));
    }
}

#endif

void lw_add_s8_mve(const lw_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    lw_sums(params, a, b, output);
    lw_narrow(&params->clamp, output);
}
