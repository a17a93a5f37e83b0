/* model.c: inputs a[6], b[1500]; outputs y[2], z[2000]. t = a + b[0..5]; u = 3 t + weights (in place); y = u[0..1],
 * z[k] = u[k mod 6] + b[k mod 1500]. All modulo 256. */
#include "model.h"

#include <stddef.h>

#define A_BYTES 6
#define B_BYTES 1500
#define Y_BYTES 2
#define Z_BYTES 2000

static int8_t arena[A_BYTES + B_BYTES + 6 + Y_BYTES + Z_BYTES];
static const int8_t weights[6] = {1, -2, 3, -4, 5, -6};

#define A arena
#define B (arena + A_BYTES)
#define T (arena + A_BYTES + B_BYTES)
#define Y (T + 6)
#define Z (Y + Y_BYTES)

static lw_status state = LW_ERROR_NOT_INITIALIZED;

static int8_t wrap(int value)
{
    return (int8_t)(uint8_t)((unsigned)value & 0xffu);
}

static void step_0(void)
{
    for (int i = 0; i < 6; i++) {
        T[i] = wrap(A[i] + B[i]);
    }
}

static void step_1(void)
{
    for (int i = 0; i < 6; i++) {
        T[i] = wrap(3 * T[i] + weights[i]);
    }
}

static void step_2(void)
{
    for (int i = 0; i < Y_BYTES; i++) {
        Y[i] = T[i];
    }
    for (int i = 0; i < Z_BYTES; i++) {
        Z[i] = wrap(T[i % 6] + B[i % B_BYTES]);
    }
}

static void (*const steps[])(void) = {step_0, step_1, step_2};

static lw_status init(void)
{
    state = LW_OK;
    return state;
}

static lw_status step(uint16_t index)
{
    if (state != LW_OK) {
        return state;
    }
    if (index >= sizeof steps / sizeof steps[0]) {
        return LW_ERROR_ARGUMENT;
    }
    steps[index]();
    return LW_OK;
}

static lw_status infer(void)
{
    if (state != LW_OK) {
        return state;
    }
    for (uint16_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        steps[i]();
    }
    return LW_OK;
}

#ifndef GOLDEN_Y0
#define GOLDEN_Y0 1
#endif

static lw_status self_test(void)
{
    for (int i = 0; i < A_BYTES + B_BYTES; i++) {
        arena[i] = 0;
    }
    lw_status status = infer();
    return status != LW_OK ? status : Y[0] == GOLDEN_Y0 && Y[1] == -2 && Z[5] == -6 ? LW_OK : LW_ERROR_SELF_TEST;
}

static lw_status last_error(void)
{
    return state;
}

static const lw_tensor inputs[] = {
    {.name = "a", .data = A, .bytes = A_BYTES, .dims = {1, A_BYTES}, .rank = 2, .scale = 1.0f},
    {.name = "b", .data = B, .bytes = B_BYTES, .dims = {1, B_BYTES}, .rank = 2, .scale = 1.0f},
};
static const lw_tensor outputs[] = {
    {.name = "y", .data = Y, .bytes = Y_BYTES, .dims = {1, Y_BYTES}, .rank = 2, .scale = 1.0f},
    {.name = "z", .data = Z, .bytes = Z_BYTES, .dims = {1, Z_BYTES}, .rank = 2, .scale = 1.0f},
};
#ifdef LW_WITH_OPERATOR_TABLE
static const lw_operator_output operator_outputs[] = {
    {.data = T, .bytes = 6},
    {.data = T, .bytes = 6},
    {.data = Z, .bytes = Z_BYTES},
};

static const lw_operator operators[] = {
    {.kind = "ADD", .outputs = operator_outputs, .output_count = 1},
    {.kind = "MUL", .outputs = operator_outputs + 1, .output_count = 1},
    {.kind = "CONCATENATION", .outputs = operator_outputs + 2, .output_count = 1},
};
#endif

const lw_model lw_model_tiny = {
    .name = "tiny",
    .generator = "leadwire 0.1.0 aot",
    .digest = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
               0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
    .arena_bytes = sizeof arena,
    .input_count = 2,
    .output_count = 2,
    .operator_count = 3,
    .inputs = inputs,
    .outputs = outputs,
#ifdef LW_WITH_OPERATOR_TABLE
    .operators = operators,
#endif
    .init = init,
    .infer = infer,
    .step = step,
    .self_test = self_test,
    .last_error = last_error,
};
