/* harness.c: the bench firmware's link code as a library or a fuzzed process: a port that keeps what is sent. */
#include <stdio.h>
#include <string.h>

#include "cbor.h"
#include "crc.h"
#include "frame.h"
#include "port.h"
#include "smp.h"
#include "stack.h"

#define STACK_WORDS 64

static lw_smp server;
static lw_frame_decoder decoder;
static uint8_t sent[1 << 20];
static size_t sent_bytes;
static uint32_t resets, ticks, stack[STACK_WORDS];

void lw_port_init(void) {}
void lw_port_idle(void) {}
size_t lw_port_read(uint8_t *bytes, size_t capacity) { (void)bytes; (void)capacity; return 0; }
uint32_t lw_port_cycles(void) { return ticks += 7; }
uint32_t lw_port_cycles_hz(void) { return 1000000; }
const char *lw_port_cycles_name(void) { return "test"; }
uint32_t *lw_port_stack_bottom(void) { return stack; }
uint32_t *lw_port_stack_top(void) { return stack + STACK_WORDS; }
void lw_port_reset(void) { resets++; }
lw_reset_cause lw_port_reset_cause(void) { return LW_RESET_UNKNOWN; }
bool lw_port_watchdog_start(uint32_t timeout_ms) { return timeout_ms != 0; }
void lw_port_watchdog_feed(void) {}
void lw_port_drain(void) {}
void lw_port_marker(bool on) { (void)on; }

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

void test_boot(void)
{
    memset(&server, 0, sizeof server);
    memset(&decoder, 0, sizeof decoder);
    sent_bytes = 0;
    resets = 0;
    lw_stack_paint();
    lw_smp_boot(&server);
}

void test_receive(const uint8_t *bytes, size_t length) { lw_smp_receive(&server, bytes, length); }
uint32_t test_resets(void) { return resets; }
void test_use_stack(uint32_t words) { memset(stack + STACK_WORDS - words, 1, 4 * words); }

size_t test_take(uint8_t *bytes)
{
    size_t length = sent_bytes;
    memcpy(bytes, sent, length);
    sent_bytes = 0;
    return length;
}

/* One byte through the decoder alone; the message it completes is copied out. */
size_t test_decode(uint8_t byte, uint8_t *message)
{
    size_t length = lw_frame_receive(&decoder, byte);
    memcpy(message, lw_frame_message(&decoder), length);
    return length;
}

size_t test_encode(const uint8_t *message, size_t length, uint8_t *text)
{
    lw_frame_encoder encoder;
    uint8_t line[LW_LINE_BYTES];
    size_t total = 0, count;
    lw_frame_begin(&encoder, message, length);
    while ((count = lw_frame_next_line(&encoder, line)) != 0) {
        memcpy(text + total, line, count);
        total += count;
    }
    return total;
}

int main(int count, char **arguments)
{
    uint8_t chunk[97];
    size_t length;
    FILE *input = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (input == NULL) {
        return 2;
    }
    test_boot();
    while ((length = fread(chunk, 1, sizeof chunk, input)) != 0) {
        test_receive(chunk, length);
    }
    (void)fclose(input);
    printf("%u runs, %u resets\n", (unsigned)server.bench.runs, (unsigned)resets);
    return 0;
}
