/* UNIDIRECTIONAL_SEQUENCE_LSTM, int8 with gates and cell state of int16, all steps of one sequence.
 *
 *   z = clamp(rescale(bx + Wx x[t])) + clamp(rescale(bh + Wh h)), clamped, for each of the four gates, in Q3.12
 *   i, f, o = sigmoid(z),  c = tanh(z), in Q0.15
 *   cell = clamp(clamp(rescale(f * cell)) + clamp(rescale(i * c))), held to the clip where there is one
 *   h = output[t] = clamp(zero point + rescale(tanh(cell) * o))
 *
 * Biases hold - zero point * sum(weights), so that raw bytes are multiplied. Gates stand in the order i, f, o, c. Cell and
 * h are 0 at the start of every inference. `state` has 4 * units gates, the cells, and the first h.
 */
#include "kernels.h"

static int32_t lw_dot(const int8_t *a, const int8_t *b, int32_t count, int32_t sum)
{
    for (int32_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static LW_INLINE int32_t lw_held(int32_t x)
{
    return lw_clamp_s16(x, INT16_MIN, INT16_MAX);
}

void lw_unidirectional_sequence_lstm_s8(const lw_lstm_params *params, const int8_t *input,
                                        const int8_t *input_weights, const int32_t *input_bias,
                                        const int8_t *hidden_weights, const int32_t *hidden_bias, int8_t *output,
                                        int16_t *state)
{
    const int32_t inputs = params->inputs;
    const int32_t units = params->units;
    int16_t *const gates = state;
    int16_t *const input_gate = gates;
    int16_t *const forget_gate = gates + units;
    int16_t *const output_gate = gates + 2 * units;
    int16_t *const cell_gate = gates + 3 * units;
    int16_t *const cell = gates + 4 * units;
    int8_t *const start = (int8_t *)(cell + units);
    const int8_t *hidden = start;
    for (int32_t u = 0; u < units; u++) {
        cell[u] = 0;
        start[u] = (int8_t)params->hidden_zero_point;
    }
    for (int32_t step = 0; step < params->steps; step++) {
        for (int32_t g = 0; g < 4; g++) {
            for (int32_t u = 0; u < units; u++) {
                const int32_t row = g * units + u;
                const int32_t x = lw_dot(input, input_weights + row * inputs, inputs, input_bias[row]);
                const int32_t h = lw_dot(hidden, hidden_weights + row * units, units, hidden_bias[row]);
                gates[row] = (int16_t)lw_held(lw_held(lw_rescale_s32(x, params->rescale_input[g])) +
                                              lw_held(lw_rescale_s32(h, params->rescale_hidden[g])));
            }
        }
        lw_sigmoid_s16(&params->sigmoid, gates, gates);
        lw_sigmoid_s16(&params->tanh_gate, cell_gate, cell_gate);
        for (int32_t u = 0; u < units; u++) {
            const int32_t kept = lw_held(lw_rescale_s32(forget_gate[u] * cell[u], params->rescale_forget));
            const int32_t added = lw_held(lw_rescale_s32(input_gate[u] * cell_gate[u], params->rescale_cell));
            cell[u] = lw_clamp_s16(kept + added, params->cell_min, params->cell_max);
        }
        lw_sigmoid_s16(&params->tanh_cell, cell, cell_gate);
        for (int32_t u = 0; u < units; u++) {
            const int32_t h = lw_rescale_s32(cell_gate[u] * output_gate[u], params->rescale_output);
            output[u] = lw_clamp_s8(h + params->hidden_zero_point, INT8_MIN, INT8_MAX);
        }
        hidden = output;
        output += units;
        input += inputs;
    }
}
