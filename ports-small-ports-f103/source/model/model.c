/* leadwire 0.1.0 aot, model 'ports-small' sha256 320b04716eada15544291193d8cd36ceded8d00e664d7e962b0ed4971fae8bbc: the operators in order, one function each. */
#include "model.h"

#include "kernels.h"
#include "weights.h"

#define OPERATORS 8

/* 976 bytes, of which at most 976 are alive at once (op 2). */
static union {
    int64_t aligned;
    uint32_t words[244];
    int8_t bytes[976];
} arena;

/* op 0 RESHAPE 'row' -> [1, 1, 128, 1]: no copy */

/* op 1 CONV_2D 'conv1' -> [1, 1, 61, 8] */
static const lw_convolution_params params_1 = {
    .window = {
        .input_height = 1, .input_width = 128, .input_channels = 1,
        .filter_height = 1, .filter_width = 7, .output_height = 1,
        .output_width = 61, .output_channels = 8, .stride_y = 1,
        .stride_x = 2, .dilation_y = 1, .dilation_x = 1,
        .pad_top = 0, .pad_left = 0, .inner_begin = 0,
        .inner_end = 61,
    },
    .input_zero_point = -9,
    .output_zero_point = -128,
    .activation_min = -128,
    .activation_max = 127,
};
static void step_1(void)
{
    lw_conv_2d_s8(&params_1,
        arena.bytes + 0,
        lw_ports_small_op1_weights,
        lw_ports_small_op1_bias,
        lw_ports_small_op1_rescale,
        arena.bytes + 488);
}

/* op 2 DEPTHWISE_CONV_2D 'depthwise' -> [1, 1, 61, 8] */
static const lw_convolution_params params_2 = {
    .window = {
        .input_height = 1, .input_width = 61, .input_channels = 8,
        .filter_height = 1, .filter_width = 5, .output_height = 1,
        .output_width = 61, .output_channels = 8, .stride_y = 1,
        .stride_x = 1, .dilation_y = 1, .dilation_x = 1,
        .pad_top = 0, .pad_left = 2, .inner_begin = 2,
        .inner_end = 59,
    },
    .input_zero_point = -128,
    .output_zero_point = -128,
    .activation_min = -128,
    .activation_max = 127,
};
static void step_2(void)
{
    lw_depthwise_conv_2d_s8(&params_2,
        arena.bytes + 488,
        lw_ports_small_op2_weights,
        lw_ports_small_op2_bias,
        lw_ports_small_op2_rescale,
        arena.bytes + 0);
}

/* op 3 MAX_POOL_2D 'pool' -> [1, 1, 30, 8] */
static const lw_pool_params params_3 = {
    .window = {
        .input_height = 1, .input_width = 61, .input_channels = 8,
        .filter_height = 1, .filter_width = 2, .output_height = 1,
        .output_width = 30, .output_channels = 8, .stride_y = 1,
        .stride_x = 2, .dilation_y = 1, .dilation_x = 1,
        .pad_top = 0, .pad_left = 0, .inner_begin = 0,
        .inner_end = 30,
    },
    .activation_min = -128,
    .activation_max = 127,
};
static void step_3(void)
{
    lw_max_pool_2d_s8(&params_3,
        arena.bytes + 0,
        arena.bytes + 504);
}

/* op 4 CONV_2D 'conv2' -> [1, 1, 30, 16] */
static const lw_convolution_params params_4 = {
    .window = {
        .input_height = 1, .input_width = 30, .input_channels = 8,
        .filter_height = 1, .filter_width = 3, .output_height = 1,
        .output_width = 30, .output_channels = 16, .stride_y = 1,
        .stride_x = 1, .dilation_y = 1, .dilation_x = 1,
        .pad_top = 0, .pad_left = 1, .inner_begin = 1,
        .inner_end = 29,
    },
    .input_zero_point = -128,
    .output_zero_point = -128,
    .activation_min = -128,
    .activation_max = 127,
};
static void step_4(void)
{
    lw_conv_2d_s8(&params_4,
        arena.bytes + 504,
        lw_ports_small_op4_weights,
        lw_ports_small_op4_bias,
        lw_ports_small_op4_rescale,
        arena.bytes + 24);
}

/* op 5 MEAN 'mean' -> [1, 16] */
static const lw_mean_params params_5 = {
    .outer = 1,
    .reduced = 30,
    .inner = 16,
    .offset = 3840,
    .multiplier = 858993459,
    .left = 0,
    .right = 3,
    .output_zero_point = -128,
};
static void step_5(void)
{
    lw_mean_s8(&params_5,
        arena.bytes + 24,
        arena.bytes + 8);
}

/* op 6 FULLY_CONNECTED 'dense' -> [1, 5] */
static const lw_fully_connected_params params_6 = {
    .rows = 1,
    .depth = 16,
    .outputs = 5,
    .rescale_step = 0,
    .output_zero_point = 3,
    .activation_min = -128,
    .activation_max = 127,
};
static void step_6(void)
{
    lw_fully_connected_s8(&params_6,
        arena.bytes + 8,
        lw_ports_small_op6_weights,
        lw_ports_small_op6_bias,
        lw_ports_small_op6_rescale,
        arena.bytes + 0);
}

/* op 7 SOFTMAX 'probability' -> [1, 5] */
static const lw_softmax_params params_7 = {
    .rows = 1,
    .depth = 5,
    .multiplier = 2061584256,
    .left = 22,
    .diff_min = -496,
};
static void step_7(void)
{
    lw_softmax_s8(&params_7,
        arena.bytes + 0,
        arena.bytes + 0);
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
    step_5();
    step_6();
    step_7();
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
    case 5:
        step_5();
        break;
    case 6:
        step_6();
        break;
    case 7:
        step_7();
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
        .bytes = 128,
        .dims = {1, 128, 1},
        .rank = 3,
        .scale = 0.0299999993f,
        .zero_point = -9,
    },
};

static const lw_tensor outputs[] = {
    {
        .name = "probability",
        .data = arena.bytes + 0,
        .bytes = 5,
        .dims = {1, 5},
        .rank = 2,
        .scale = 0.00390625f,
        .zero_point = -128,
    },
};

#ifdef LW_WITH_OPERATOR_TABLE
static const lw_operator operators[] = {
    {.kind = "RESHAPE", .data = arena.bytes + 0, .bytes = 128},
    {.kind = "CONV_2D", .data = arena.bytes + 488, .bytes = 488},
    {.kind = "DEPTHWISE_CONV_2D", .data = arena.bytes + 0, .bytes = 488},
    {.kind = "MAX_POOL_2D", .data = arena.bytes + 504, .bytes = 240},
    {.kind = "CONV_2D", .data = arena.bytes + 24, .bytes = 480},
    {.kind = "MEAN", .data = arena.bytes + 8, .bytes = 16},
    {.kind = "FULLY_CONNECTED", .data = arena.bytes + 0, .bytes = 5},
    {.kind = "SOFTMAX", .data = arena.bytes + 0, .bytes = 5},
};
#endif

const lw_model lw_model_ports_small = {
    .name = "ports-small",
    .generator = "leadwire 0.1.0 aot",
    .digest = {
        0x32, 0x0b, 0x04, 0x71, 0x6e, 0xad, 0xa1, 0x55, 0x44, 0x29, 0x11, 0x93, 0xd8, 0xcd, 0x36, 0xce, 0xde, 0xd8,
        0xd0, 0x0e, 0x66, 0x4d, 0x7e, 0x96, 0x2b, 0x0e, 0xd4, 0x97, 0x1f, 0xae, 0x8b, 0xbc,
    },
    .arena_bytes = 976,
    .input_count = 1,
    .output_count = 1,
    .operator_count = OPERATORS,
    .label_count = 0,
    .inputs = inputs,
    .outputs = outputs,
#ifdef LW_WITH_OPERATOR_TABLE
    .operators = operators,
#endif
    .init = init,
    .infer = infer,
    .step = step,
    .self_test = lw_ports_small_self_test,
    .last_error = last_error,
};
