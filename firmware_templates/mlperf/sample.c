/* sample.c: see sample.h.
 *
 * The sums are written so that a core with a fused multiply-add gives the same bytes as one without: every product is
 * exact in a double (9 bits by 24, 24 bits by 24), so that each step rounds once either way. */
#include "sample.h"

#include "model.h"
#include "text.h"

#ifndef LW_MLPERF_INPUT
#define LW_MLPERF_INPUT LW_SAMPLE_INT8
#endif
#ifndef LW_MLPERF_RESULT
#define LW_MLPERF_RESULT LW_RESULT_VALUES
#endif

#if LW_MLPERF_RESULT == LW_RESULT_ERROR && LW_MLPERF_INPUT != LW_SAMPLE_FLOAT32
#error "the mean square error is taken against an input that was given as real numbers"
#endif

#define VALUE_BYTES (LW_MLPERF_INPUT == LW_SAMPLE_FLOAT32 ? 4u : 1u)

uint32_t lw_sample_bytes(void)
{
    uint32_t values = 0;
    for (uint32_t i = 0; i < LW_MODEL.input_count; i++) {
        values += LW_MODEL.inputs[i].bytes;
    }
    return values * VALUE_BYTES;
}

#if LW_MLPERF_INPUT == LW_SAMPLE_FLOAT32

static float float_at(const uint8_t *bytes)
{
    union {
        uint32_t bits;
        float value;
    } cell;
    cell.bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    return cell.value;
}

/* To the nearest whole number, ties away from zero; beyond +-512, which any zero point leaves outside int8, to there. */
static int32_t rounded(float value)
{
    if (!(value < 512.0f)) {
        return value >= 512.0f ? 512 : 0; /* else NaN */
    }
    if (value <= -512.0f) {
        return -512;
    }
    int32_t whole = (int32_t)value;
    float rest = value - (float)whole;
    return rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
}

static int8_t clamped(int32_t value)
{
    return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

static union {
    int8_t bytes[LW_MODEL_INPUT_BYTES];
    uint32_t align; /* so that whole words are copied */
} converted;

void lw_sample_convert(const uint8_t *sample)
{
    int8_t *value = converted.bytes;
    for (uint32_t i = 0; i < LW_MODEL.input_count; i++) {
        const lw_tensor *tensor = &LW_MODEL.inputs[i];
        for (uint32_t k = 0; k < tensor->bytes; k++) {
            *value = clamped(rounded(float_at(sample) / tensor->scale) + tensor->zero_point);
            value++;
            sample += VALUE_BYTES;
        }
    }
}

void lw_sample_write(const uint8_t *sample)
{
    (void)sample;
    const int8_t *value = converted.bytes;
    for (uint32_t i = 0; i < LW_MODEL.input_count; i++) {
        int8_t *restrict to = LW_MODEL.inputs[i].data;
        const int8_t *restrict from = value;
        uint32_t count = LW_MODEL.inputs[i].bytes;
        for (uint32_t k = 0; k < count; k++) {
            to[k] = from[k];
        }
        value += count;
    }
}

#else

void lw_sample_convert(const uint8_t *sample)
{
    (void)sample;
}

void lw_sample_write(const uint8_t *sample)
{
    for (uint32_t i = 0; i < LW_MODEL.input_count; i++) {
        int8_t *restrict to = LW_MODEL.inputs[i].data;
        const uint8_t *restrict from = sample;
        uint32_t count = LW_MODEL.inputs[i].bytes;
        for (uint32_t k = 0; k < count; k++) {
            to[k] = (int8_t)(LW_MLPERF_INPUT == LW_SAMPLE_UINT8 ? from[k] ^ 0x80u : from[k]);
        }
        sample += count;
    }
}

#endif

static double real(const lw_tensor *tensor, uint32_t index)
{
    return (double)(tensor->data[index] - tensor->zero_point) * (double)tensor->scale;
}

#if LW_MLPERF_RESULT == LW_RESULT_ERROR

void lw_sample_results(const uint8_t *sample)
{
    const lw_tensor *output = &LW_MODEL.outputs[0];
    uint32_t count = output->bytes < LW_MODEL.inputs[0].bytes ? output->bytes : LW_MODEL.inputs[0].bytes;
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        float difference = (float)(real(output, i) - (double)float_at(sample + 4u * i));
        sum += (double)difference * (double)difference;
    }
    lw_say_decimal(sum / (double)count);
}

#else

void lw_sample_results(const uint8_t *sample)
{
    (void)sample;
    for (uint32_t i = 0; i < LW_MODEL.output_count; i++) {
        const lw_tensor *tensor = &LW_MODEL.outputs[i];
        for (uint32_t k = 0; k < tensor->bytes; k++) {
            if (i != 0u || k != 0u) {
                lw_say(",");
            }
            lw_say_decimal((double)(float)real(tensor, k));
        }
    }
}

#endif
