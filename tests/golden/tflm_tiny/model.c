/* leadwire 0.1.0 tflm, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: the model's descriptor. */
#include "model.h"

#include "engine.h"

/* .data is known once init() has laid out the arena. */
lw_tensor lw_tiny_inputs[1] = {
    {
        .name = "ecg",
        .bytes = 6,
        .dims = {1, 6, 1},
        .rank = 3,
        .item_bytes = 1,
        .scale = 0.5f,
        .zero_point = -3,
    },
};

/* .data is known once init() has laid out the arena. */
lw_tensor lw_tiny_outputs[1] = {
    {
        .name = "probability",
        .bytes = 2,
        .dims = {1, 2},
        .rank = 2,
        .item_bytes = 1,
        .scale = 0.00390625f,
        .zero_point = -128,
    },
};

static const char *const labels[] = {
    "normal",
    "ectopic",
};

#ifdef LW_WITH_OPERATOR_TABLE
/* .data is known once the operator has run. */
lw_operator_output lw_tiny_operator_outputs[LW_MODEL_TINY_OPERATOR_OUTPUTS] = {
    {.bytes = 6},
    {.bytes = 8},
    {.bytes = 2},
    {.bytes = 2},
    {.bytes = 2},
};

static const lw_operator operators[] = {
    /* op 0 RESHAPE 'row' -> [1, 1, 6, 1] */
    {.kind = "RESHAPE", .outputs = lw_tiny_operator_outputs + 0, .output_count = 1},
    /* op 1 CONV_2D 'conv' -> [1, 1, 4, 2] */
    {.kind = "CONV_2D", .outputs = lw_tiny_operator_outputs + 1, .output_count = 1},
    /* op 2 MEAN 'mean' -> [1, 2] */
    {.kind = "MEAN", .outputs = lw_tiny_operator_outputs + 2, .output_count = 1},
    /* op 3 FULLY_CONNECTED 'dense' -> [1, 2] */
    {.kind = "FULLY_CONNECTED", .outputs = lw_tiny_operator_outputs + 3, .output_count = 1},
    /* op 4 SOFTMAX 'probability' -> [1, 2] */
    {.kind = "SOFTMAX", .outputs = lw_tiny_operator_outputs + 4, .output_count = 1},
};
#endif

lw_arena_use lw_tiny_arena_use;

const lw_model lw_model_tiny = {
    .name = "tiny",
    .generator = "leadwire 0.1.0 tflm",
    .digest = {
        0x00, 0xc5, 0x47, 0x34, 0x83, 0x53, 0x68, 0xf8, 0x31, 0x53, 0x83, 0x45, 0x6f, 0x23, 0x2a, 0x7f, 0xac, 0x56,
        0x12, 0x20, 0xd5, 0x63, 0xdb, 0xbc, 0x79, 0xdf, 0xc0, 0xc4, 0xd8, 0x9d, 0xe5, 0xfc,
    },
    .arena_bytes = LW_ARENA_BYTES,
    .input_count = 1,
    .output_count = 1,
    .operator_count = LW_MODEL_TINY_OPERATORS,
    .label_count = 2,
    .inputs = lw_tiny_inputs,
    .outputs = lw_tiny_outputs,
#ifdef LW_WITH_OPERATOR_TABLE
    .operators = operators,
#endif
    .labels = labels,
    .init = lw_tiny_init,
    .infer = lw_tiny_infer,
    .step = lw_tiny_step,
    .self_test = lw_tiny_self_test,
    .last_error = lw_tiny_last_error,
    .arena_use = &lw_tiny_arena_use,
};
