/* session.c: see session.h. */
#include "session.h"

#include "model.h"
#include "port.h"
#include "sample.h"
#include "text.h"

#ifndef LW_MLPERF_MODEL
#define LW_MLPERF_MODEL "custom"
#endif
#ifndef LW_MLPERF_ENERGY
#define LW_MLPERF_ENERGY 0
#endif

#define PULSE_US 2u /* the protocol wants the pin low for at least 1 us */
#define UNIQUE_ID_BYTES 16u
#define PRINT_BYTES 8u   /* of the buffer on one line */
#define OUTPUT_BYTES 32u /* of the outputs on one line */
#define DEFAULT_RUNS 1
#define DEFAULT_WARMUP 10

static const uint8_t build_id[] = {LW_BUILD_ID};

static void line(const char *text)
{
    lw_say(text);
    lw_say("\r\n");
}

static void line_number(const char *before, uint64_t number, const char *after)
{
    lw_say(before);
    lw_say_unsigned(number);
    line(after);
}

static void line_text(const char *before, const char *text)
{
    lw_say(before);
    lw_say(text);
    line("]");
}

static void line_hex(const char *before, const uint8_t *bytes, size_t length)
{
    lw_say(before);
    lw_say_hex(bytes, length);
    line("]");
}

/* The counter so far, its wraps counted as long as two calls are less than its period apart. */
static uint64_t cycles_now(lw_session *session)
{
    uint32_t now = lw_port_cycles();
    session->cycles += (uint32_t)(now - session->last_cycles);
    session->last_cycles = now;
    return session->cycles;
}

#if LW_MLPERF_ENERGY

/* A falling edge of the marker, and no word, which would cost energy. */
static void timestamp(lw_session *session)
{
    uint32_t pulse = lw_port_cycles_hz() / 1000000u * PULSE_US + PULSE_US;
    lw_port_marker(false);
    uint32_t start = lw_port_cycles();
    while (lw_port_cycles() - start < pulse) {
    }
    lw_port_marker(true);
    (void)cycles_now(session);
}

#else

static uint64_t microseconds(uint64_t cycles)
{
    uint64_t hz = lw_port_cycles_hz();
    return cycles / hz * 1000000u + cycles % hz * 1000000u / hz;
}

static void timestamp(lw_session *session)
{
    line_number("m-lap-us-", microseconds(cycles_now(session)), "");
}

#endif

static bool is(const char *word, const char *name)
{
    if (word == NULL) {
        return false;
    }
    while (*word != '\0' && *word == *name) {
        word++;
        name++;
    }
    return *word == *name;
}

/* The next word of the command, with a zero put behind it; NULL at the end. */
static char *next_word(char **rest)
{
    char *word = *rest;
    while (*word == ' ') {
        word++;
    }
    char *end = word;
    while (*end != '\0' && *end != ' ') {
        end++;
    }
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return *word == '\0' ? NULL : word;
}

/* As atoi() does, 0 where there is no number, but held at the ends of 32 bits. */
static int32_t number(const char *word)
{
    bool negative = *word == '-';
    int64_t value = 0;
    if (*word == '-' || *word == '+') {
        word++;
    }
    for (; *word >= '0' && *word <= '9' && value <= INT32_MAX; word++) {
        value = value * 10 + (*word - '0');
    }
    value = value > INT32_MAX ? INT32_MAX : value;
    return (int32_t)(negative ? -value : value);
}

static int32_t hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static void db_load(lw_session *session, const char *size)
{
    if (size == NULL) {
        line("e-[Command 'db load' requires the # of bytes]");
        return;
    }
    int32_t count = number(size);
    session->expected = 0;
    session->received = 0;
    if (count == 0) {
        line("e-[Command 'db load' must be >0 bytes]");
    } else if (count < 0 || (uint32_t)count > LW_MLPERF_BUFFER_BYTES) {
        lw_say(count < 0 ? "Supplied buffer size -" : "Supplied buffer size ");
        lw_say_unsigned((uint64_t)(count < 0 ? -(int64_t)count : count));
        lw_say(" exceeds maximum of ");
        lw_say_unsigned(LW_MLPERF_BUFFER_BYTES);
        lw_say("\n"); /* without '\r', as the protocol has it */
    } else {
        session->expected = (uint32_t)count;
        line_number("m-[Expecting ", session->expected, " bytes]");
    }
}

/* The bytes before an invalid digit are kept, what comes after the last expected one is ignored. */
static void db_bytes(lw_session *session, const char *digits)
{
    size_t count = 0;
    while (digits[count] != '\0') {
        count++;
    }
    if (count % 2u != 0u) {
        line("e-[Insufficent number of hex digits]");
        return;
    }
    for (; *digits != '\0' && session->received < session->expected; digits += 2) {
        int32_t high = hex_digit(digits[0]);
        int32_t low = hex_digit(digits[1]);
        if (high < 0 || low < 0) {
            lw_say("e-[Invalid hex digit '");
            lw_say_bytes(digits, 2);
            line("']");
            return;
        }
        session->buffer[session->received] = (uint8_t)(high * 16 + low);
        session->received++;
        if (session->received == session->expected) {
            line("m-load-done");
        }
    }
}

static void db_print(const lw_session *session)
{
    for (uint32_t i = 0; i < session->expected; i++) {
        lw_say(i % PRINT_BYTES == 0u ? "m-buffer-" : "-");
        lw_say_hex(&session->buffer[i], 1);
        if ((i + 1u) % PRINT_BYTES == 0u || i + 1u == session->expected) {
            line("");
        }
    }
}

static void db(lw_session *session, char **rest)
{
    const char *word = next_word(rest);
    if (word == NULL) {
        line("e-[Command 'db' requires a subcommand]");
    } else if (is(word, "load")) {
        db_load(session, next_word(rest));
    } else if (is(word, "print")) {
        db_print(session);
    } else {
        db_bytes(session, word);
    }
}

static void results(const lw_session *session)
{
    if (!session->has_result) {
        line("e-[No results before an inference]");
        return;
    }
    lw_say("m-results-[");
    lw_sample_results(session->buffer);
    line("]");
}

/* Every run on the same input, which is written anew, since a run leaves other tensors in its place. False, and said,
 * when the model gives up. */
static bool run(lw_session *session, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        lw_sample_write(session->buffer);
        lw_status status = LW_MODEL.infer();
        (void)cycles_now(session);
        if (status != LW_OK) {
            line_number("e-[Model error ", (uint64_t)status, "]");
            return false;
        }
    }
    return true;
}

static void infer(lw_session *session, char **rest)
{
    const char *first = next_word(rest);
    const char *second = next_word(rest);
    int32_t count = first == NULL ? DEFAULT_RUNS : number(first);
    int32_t warmup = second == NULL ? DEFAULT_WARMUP : number(second);
    if (count <= 0) {
        line("e-[Inference iterations must be >0]");
        return;
    }
    if (warmup < 0) {
        line("e-[Inference warmup must be >=0]");
        return;
    }
    if (session->boot != LW_OK) {
        line_number("e-[Model error ", (uint64_t)session->boot, "]");
        return;
    }
    if (session->received < lw_sample_bytes()) {
        lw_say("e-[Input has ");
        lw_say_unsigned(session->received);
        line_number(" of ", lw_sample_bytes(), " bytes]");
        return;
    }
    session->has_result = false;
    lw_sample_convert(session->buffer);
    line_number("m-warmup-start-", (uint64_t)warmup, "");
    if (!run(session, (uint32_t)warmup)) {
        return;
    }
    line("m-warmup-done");
    line_number("m-infer-start-", (uint64_t)count, "");
    timestamp(session);
    bool done = run(session, (uint32_t)count);
    timestamp(session);
    if (!done) {
        return;
    }
    session->has_result = true;
    line("m-infer-done");
    results(session);
}

static void help(void)
{
    line("name               who answers");
    line("profile            protocol and benchmark");
    line("timestamp          time, or an edge of the marker pin");
    line("db load N          expect N bytes of input");
    line("db HH[HH]*         these bytes, in hexadecimal");
    line("db print           the bytes so far");
    line("infer [N=1] [W=10] W runs to warm up, then N timed ones");
    line("results            numbers of the last run");
    line("leadwire [output]  board, build and model; the last run's output bytes");
}

/* For leadwire's own runner: is this the image that was built, and are the outputs the very bytes. */
static void leadwire(const lw_session *session, char **rest)
{
    if (is(next_word(rest), "output")) {
        if (!session->has_result) {
            line("e-[No results before an inference]");
            return;
        }
        for (uint32_t i = 0; i < LW_MODEL.output_count; i++) {
            const lw_tensor *tensor = &LW_MODEL.outputs[i];
            for (uint32_t k = 0; k < tensor->bytes; k += OUTPUT_BYTES) {
                uint32_t left = tensor->bytes - k;
                line_hex("m-output-[", (const uint8_t *)tensor->data + k, left < OUTPUT_BYTES ? left : OUTPUT_BYTES);
            }
        }
        return;
    }
    uint8_t unique_id[UNIQUE_ID_BYTES];
    size_t unique_id_bytes = lw_port_unique_id(unique_id, sizeof unique_id);
    line_text("m-firmware-[", LW_MODEL.generator);
    line_text("m-board-[", LW_BOARD_ID);
    line_hex("m-build-[", build_id, sizeof build_id);
    line_hex("m-digest-[", LW_MODEL.digest, LW_DIGEST_BYTES);
    line_hex("m-uid-[", unique_id, unique_id_bytes);
    line_text("m-counter-[", lw_port_cycles_name());
    line_number("m-clock-hz-[", lw_port_cycles_hz(), "]");
    line_number("m-sample-bytes-[", lw_sample_bytes(), "]");
    line_number("m-boot-[", (uint64_t)session->boot, "]");
}

/* An empty command answers with "m-ready" alone. */
static void obey(lw_session *session)
{
    char *rest = session->command;
    const char *word = next_word(&rest);
    if (word == NULL) {
    } else if (is(word, "name")) {
        line("m-name-dut-[leadwire]");
    } else if (is(word, "timestamp")) {
        timestamp(session);
    } else if (is(word, "profile")) {
        line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
        line("m-model-[" LW_MLPERF_MODEL "]");
    } else if (is(word, "help")) {
        help();
    } else if (is(word, "db")) {
        db(session, &rest);
    } else if (is(word, "infer")) {
        infer(session, &rest);
    } else if (is(word, "results")) {
        results(session);
    } else if (is(word, "leadwire")) {
        leadwire(session, &rest);
    } else {
        line_text("e-[Unknown command: ", word);
    }
    line("m-ready");
}

void lw_session_receive(lw_session *session, const uint8_t *bytes, size_t length)
{
    (void)cycles_now(session);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == (uint8_t)'%') {
            session->command[session->command_length] = '\0';
            session->command_length = 0;
            obey(session);
        } else if (session->command_length < LW_COMMAND_BYTES) {
            session->command[session->command_length] = (char)bytes[i];
            session->command_length++;
        }
    }
}

void lw_session_boot(lw_session *session)
{
    session->command_length = 0;
    session->expected = 0;
    session->received = 0;
    session->has_result = false;
    session->cycles = 0;
    session->last_cycles = lw_port_cycles();
    line(LW_MLPERF_ENERGY ? "m-timestamp-mode-energy" : "m-timestamp-mode-performance");
    timestamp(session);
    session->boot = LW_MODEL.init();
    if (session->boot == LW_OK) {
        session->boot = LW_MODEL.self_test();
    }
    lw_say(LW_MODEL.generator);
    lw_say(", model ");
    line(LW_MODEL.name);
    line("m-init-done");
    line("m-ready");
}
