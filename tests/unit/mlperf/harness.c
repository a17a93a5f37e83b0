/* harness.c: the protocol as a library or a fuzzed process: a port that keeps what is sent, and a model that leaves its
 * output where its input was, so that a run on what the last one left gives other bytes. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "port.h"
#include "sample.h"
#include "session.h"
#include "text.h"

static int8_t arena[LW_MODEL_INPUT_BYTES];
static uint32_t runs, failing;
static lw_status boot;
static lw_session session;
static uint8_t sent[1 << 20];
static size_t sent_bytes;
static uint32_t ticks, step = 7, pulses, low_since, shortest_low;
static bool marker;

static const lw_tensor tensor = {.name = "t", .data = arena, .bytes = 6, .dims = {1, 6}, .rank = 2, .scale = 0.25f, .zero_point = -3};

static lw_status init(void) { return boot; }
static lw_status self_test(void) { return LW_OK; }

static lw_status infer(void)
{
    int8_t turned[LW_MODEL_INPUT_BYTES];
    for (int i = 0; i < LW_MODEL_INPUT_BYTES; i++) {
        turned[i] = (int8_t)(arena[LW_MODEL_INPUT_BYTES - 1 - i] / 2 + i);
    }
    memcpy(arena, turned, sizeof arena);
    runs++;
    ticks += step;
    return failing != 0u && runs >= failing ? LW_ERROR_OPERATOR : LW_OK;
}

const lw_model lw_model_turn = {
    .name = "turn", .generator = "test 1.0", .digest = {0xab}, .input_count = 1, .output_count = 1,
    .inputs = &tensor, .outputs = &tensor, .init = init, .infer = infer, .self_test = self_test,
};

void lw_port_init(void) {}
void lw_port_idle(void) {}
size_t lw_port_read(uint8_t *bytes, size_t capacity) { (void)bytes; (void)capacity; return 0; }
uint32_t lw_port_cycles(void) { return ticks += 3; }
uint32_t lw_port_cycles_hz(void) { return 2000000; }
const char *lw_port_cycles_name(void) { return "test"; }

void lw_port_marker(bool on)
{
    if (marker && !on) {
        pulses++;
        low_since = ticks;
    }
    if (!marker && on && pulses != 0u && ticks - low_since < shortest_low) {
        shortest_low = ticks - low_since;
    }
    marker = on;
}

size_t lw_port_unique_id(uint8_t *bytes, size_t capacity)
{
    size_t length = capacity < 12 ? capacity : 12;
    memset(bytes, 0xa5, length);
    return length;
}

void lw_port_write(const uint8_t *bytes, size_t length)
{
    if (sent_bytes + length > sizeof sent) {
        sent_bytes = 0;
    }
    memcpy(sent + sent_bytes, bytes, length);
    sent_bytes += length;
}

void test_boot(uint32_t start, uint32_t cycles_a_run, uint32_t status)
{
    memset(&session, 0xee, sizeof session); /* whatever RAM holds */
    sent_bytes = 0;
    ticks = start;
    step = cycles_a_run;
    boot = (lw_status)status;
    runs = failing = pulses = 0;
    marker = false;
    shortest_low = UINT32_MAX;
    lw_session_boot(&session);
}

void test_receive(const uint8_t *bytes, size_t length) { lw_session_receive(&session, bytes, length); }
void test_fail_at(uint32_t run) { failing = run; }
uint32_t test_runs(void) { return runs; }
uint32_t test_pulses(void) { return pulses; }
uint32_t test_shortest_low(void) { return shortest_low; }
bool test_marker(void) { return marker; }

size_t test_take(uint8_t *bytes)
{
    size_t length = sent_bytes;
    memcpy(bytes, sent, length);
    sent_bytes = 0;
    return length;
}

size_t test_decimal(double value, char *text) { return lw_decimal(value, text); }

/* The quantized bytes that a sample becomes. */
void test_quantize(const uint8_t *sample, uint8_t *quantized)
{
    lw_sample_convert(sample);
    lw_sample_write(sample);
    memcpy(quantized, arena, sizeof arena);
}

int main(int count, char **arguments)
{
    uint8_t chunk[97];
    size_t length, total = 0;
    FILE *input = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (input == NULL) {
        return 2;
    }
    test_boot(0, 7, 0);
    while ((length = fread(chunk, 1, sizeof chunk, input)) != 0) {
        test_receive(chunk, length);
        total += sent_bytes;
        sent_bytes = 0;
    }
    (void)fclose(input);
    printf("%u runs, %zu bytes\n", (unsigned)runs, total);
    return 0;
}
