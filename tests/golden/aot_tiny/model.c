/* leadwire 0.1.0 aot, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: the operators in order, one function each. */
#include "model.h"

#include "kernels.h"
#include "softmax.h"
#include "weights.h"

#define OPERATORS 5

/* 12 bytes, of which at most 12 are alive at once (op 1). */
static union {
    int64_t aligned;
    uint32_t words[3];
    int8_t bytes[12];
} arena;

/* op 0 RESHAPE 'row' -> [1, 1, 6, 1]: no copy */

/* op 1 CONV_2D 'conv' -> [1, 1, 4, 2] */
static const lw_convolution_params params_1 = {
    .window = {
        .input_height = 1, .input_width = 6, .input_channels = 1,
        .filter_height = 1, .filter_width = 3, .output_height = 1,
        .output_width = 4, .output_channels = 2, .stride_y = 1,
        .stride_x = 1, .dilation_y = 1, .dilation_x = 1,
        .pad_top = 0, .pad_left = 0, .inner_begin = 0,
        .inner_end = 4,
    },
    .input_zero_point = -3,
    .output_zero_point = -128,
    .activation_min = -128,
    .activation_max = 127,
    .backward = 1,
};
static void step_1(void)
{
    lw_conv_2d_s8(&params_1,
        arena.bytes + 0,
        lw_tiny_op1_weights,
        lw_tiny_op1_bias,
        lw_tiny_op1_rescale,
        arena.bytes + 4);
}

/* op 2 MEAN 'mean' -> [1, 2] */
static const lw_mean_params params_2 = {
    .outer = 1,
    .reduced = 4,
    .inner = 2,
    .offset = 512,
    .multiplier = 1150437688,
    .left = 0,
    .right = 1,
    .output_zero_point = -128,
};
static void step_2(void)
{
    lw_mean_s8(&params_2,
        arena.bytes + 4,
        arena.bytes + 0);
}

/* op 3 FULLY_CONNECTED 'dense' -> [1, 2] */
static const lw_fully_connected_params params_3 = {
    .rows = 1,
    .depth = 2,
    .outputs = 2,
    .rescale_step = 0,
    .output_zero_point = 4,
    .activation_min = -128,
    .activation_max = 127,
};
static void step_3(void)
{
    lw_fully_connected_s8(&params_3,
        arena.bytes + 0,
        lw_tiny_op3_weights,
        lw_tiny_op3_bias,
        lw_tiny_op3_rescale,
        arena.bytes + 4);
}

/* op 4 SOFTMAX 'probability' -> [1, 2] */
static const lw_softmax_params params_4 = {
    .rows = 1,
    .depth = 2,
    .multiplier = 1288490240,
    .left = 25,
    .diff_min = -62,
};
static void step_4(void)
{
    lw_softmax_s8(&params_4,
        arena.bytes + 4,
        arena.bytes + 4);
}

static lw_status state = LW_ERROR_NOT_INITIALIZED;

static lw_status init(void)
{
    state = LW_OK;
    return state;
}

static lw_status infer(void)
{
    if (state != LW_OK) {
        return state;
    }
    step_1();
    step_2();
    step_3();
    step_4();
    return LW_OK;
}

static lw_status step(uint16_t index)
{
    if (state != LW_OK) {
        return state;
    }
    switch (index) {
    case 1:
        step_1();
        break;
    case 2:
        step_2();
        break;
    case 3:
        step_3();
        break;
    case 4:
        step_4();
        break;
    default: /* an operator that copies nothing, or none */
        break;
    }
    return index < OPERATORS ? LW_OK : LW_ERROR_ARGUMENT;
}

static lw_status last_error(void)
{
    return state;
}

static const lw_tensor inputs[] = {
    {
        .name = "ecg",
        .data = arena.bytes + 0,
        .bytes = 6,
        .dims = {1, 6, 1},
        .rank = 3,
        .item_bytes = 1,
        .scale = 0.5f,
        .zero_point = -3,
    },
};

static const lw_tensor outputs[] = {
    {
        .name = "probability",
        .data = arena.bytes + 4,
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
static const lw_operator_output operator_outputs[] = {
    {.data = arena.bytes + 0, .bytes = 6},
    {.data = arena.bytes + 4, .bytes = 8},
    {.data = arena.bytes + 0, .bytes = 2},
    {.data = arena.bytes + 4, .bytes = 2},
    {.data = arena.bytes + 4, .bytes = 2},
};

static const lw_operator operators[] = {
    {.kind = "RESHAPE", .outputs = operator_outputs + 0, .output_count = 1},
    {.kind = "CONV_2D", .outputs = operator_outputs + 1, .output_count = 1},
    {.kind = "MEAN", .outputs = operator_outputs + 2, .output_count = 1},
    {.kind = "FULLY_CONNECTED", .outputs = operator_outputs + 3, .output_count = 1},
    {.kind = "SOFTMAX", .outputs = operator_outputs + 4, .output_count = 1},
};
#endif

const lw_model lw_model_tiny = {
    .name = "tiny",
    .generator = "leadwire 0.1.0 aot",
    .digest = {
        0x00, 0xc5, 0x47, 0x34, 0x83, 0x53, 0x68, 0xf8, 0x31, 0x53, 0x83, 0x45, 0x6f, 0x23, 0x2a, 0x7f, 0xac, 0x56,
        0x12, 0x20, 0xd5, 0x63, 0xdb, 0xbc, 0x79, 0xdf, 0xc0, 0xc4, 0xd8, 0x9d, 0xe5, 0xfc,
    },
    .arena_bytes = 12,
    .input_count = 1,
    .output_count = 1,
    .operator_count = OPERATORS,
    .label_count = 2,
    .inputs = inputs,
    .outputs = outputs,
#ifdef LW_WITH_OPERATOR_TABLE
    .operators = operators,
#endif
    .labels = labels,
    .init = init,
    .infer = infer,
    .step = step,
    .self_test = lw_tiny_self_test,
    .last_error = last_error,
};
