/* bench.c: see bench.h and docs/manual/link-protocol.md, "leadwire group".
 *
 * Inputs, outputs and operator outputs share the model's one arena. So whatever writes to it (a slice, the self-test,
 * an operator) first ends the life of the stored result and of the held sample. */
#include "bench.h"

#include "crc.h"
#include "model.h"
#include "port.h"
#include "stack.h"

#define SLICE_BYTES (LW_PACKET_BYTES - 96u) /* output bytes in one answer; with all keys below LW_MESSAGE_BYTES */
#define UNIQUE_ID_BYTES 16u

/* What this firmware is, where a reader of the file finds it, stripped or not: docs/manual/firmware.md. Bytes alone, so
 * nothing lies between them. */
static const struct {
    char mark[17];
    uint8_t build[16];
    char model[sizeof LW_MODEL_DIGEST];
    char board[sizeof LW_BOARD_ID];
} identity = {"leadwire bench 1", {LW_BUILD_ID}, LW_MODEL_DIGEST, LW_BOARD_ID};

static uint32_t total_bytes(const lw_tensor *tensors, uint32_t count)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += tensors[i].bytes;
    }
    return total;
}

/* The part of [offset, offset + length) of all tensors' bytes in order that lies in `tensor`, which begins at `start`. */
static uint32_t overlap(const lw_tensor *tensor, uint32_t start, uint32_t offset, uint32_t length, uint32_t *first)
{
    uint32_t begin = offset > start ? offset : start;
    uint32_t end = offset + length < start + tensor->bytes ? offset + length : start + tensor->bytes;
    *first = begin;
    return begin < end ? end - begin : 0u;
}

static void write_inputs(const uint8_t *data, uint32_t offset, uint32_t length)
{
    uint32_t start = 0;
    for (uint32_t i = 0; i < LW_MODEL.input_count; i++) {
        const lw_tensor *tensor = &LW_MODEL.inputs[i];
        uint32_t first;
        uint32_t count = overlap(tensor, start, offset, length, &first);
        for (uint32_t k = 0; k < count; k++) {
            tensor->data[first - start + k] = (int8_t)data[first - offset + k];
        }
        start += tensor->bytes;
    }
}

static void read_outputs(uint8_t *data, uint32_t offset, uint32_t length)
{
    uint32_t start = 0;
    for (uint32_t i = 0; i < LW_MODEL.output_count; i++) {
        const lw_tensor *tensor = &LW_MODEL.outputs[i];
        uint32_t first;
        uint32_t count = overlap(tensor, start, offset, length, &first);
        for (uint32_t k = 0; k < count; k++) {
            data[first - offset + k] = (uint8_t)tensor->data[first - start + k];
        }
        start += tensor->bytes;
    }
}

static uint32_t crc_of_outputs(uint32_t crc)
{
    for (uint32_t i = 0; i < LW_MODEL.output_count; i++) {
        crc = lw_crc32(crc, (const uint8_t *)LW_MODEL.outputs[i].data, LW_MODEL.outputs[i].bytes);
    }
    return crc;
}

/* Before anything writes to the arena. */
static void forget(lw_bench *bench)
{
    bench->receiving = false;
    bench->result.valid = false;
    bench->held = false;
    bench->steps = 0;
    bench->profile_count = 0;
}

static lw_rc model_error(lw_status status)
{
    return (lw_rc)(LW_RC_MODEL + (int)status);
}

static uint32_t slice_of(uint32_t total, uint32_t offset)
{
    return total - offset < SLICE_BYTES ? total - offset : SLICE_BYTES;
}

static void put_number(lw_cbor_writer *answer, const char *key, uint32_t value)
{
    lw_cbor_text(answer, key);
    lw_cbor_uint(answer, value);
}

static void put_output(lw_cbor_writer *answer, uint32_t offset, uint32_t length)
{
    lw_cbor_text(answer, "out");
    uint8_t *place = lw_cbor_reserve(answer, length);
    if (place != NULL) {
        read_outputs(place, offset, length);
    }
}

void lw_bench_boot(lw_bench *bench)
{
    forget(bench);
    bench->input_bytes = total_bytes(LW_MODEL.inputs, LW_MODEL.input_count);
    bench->output_bytes = total_bytes(LW_MODEL.outputs, LW_MODEL.output_count);
    bench->runs = 0;
    bench->io_crc = 0;
    bench->boot = LW_MODEL.init();
    if (bench->boot == LW_OK) {
        bench->boot = LW_MODEL.self_test();
    }
}

lw_rc lw_bench_describe(const lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    if (!lw_cbor_read_map(request, length, NULL, 0)) {
        return LW_RC_INVALID;
    }
    uint8_t unique_id[UNIQUE_ID_BYTES];
    size_t unique_id_bytes = lw_port_unique_id(unique_id, sizeof unique_id);
    const lw_arena_use *arena = LW_MODEL.arena_use;
    lw_cbor_map(answer, 17);
    lw_cbor_text(answer, "firmware");
    lw_cbor_text(answer, LW_MODEL.generator);
    lw_cbor_text(answer, "build");
    lw_cbor_bytes(answer, identity.build, sizeof identity.build);
    lw_cbor_text(answer, "model");
    lw_cbor_text(answer, LW_MODEL.name);
    lw_cbor_text(answer, "digest");
    lw_cbor_bytes(answer, LW_MODEL.digest, LW_DIGEST_BYTES);
    lw_cbor_text(answer, "board");
    lw_cbor_text(answer, identity.board);
    lw_cbor_text(answer, "uid");
    lw_cbor_bytes(answer, unique_id, unique_id_bytes);
    put_number(answer, "clock_hz", lw_port_cycles_hz());
    put_number(answer, "arena", LW_MODEL.arena_bytes);
    put_number(answer, "used", arena == NULL ? LW_MODEL.arena_bytes : arena->used_bytes);
    put_number(answer, "need", arena == NULL ? LW_MODEL.arena_bytes : arena->needed_bytes);
    put_number(answer, "in", bench->input_bytes);
    put_number(answer, "out", bench->output_bytes);
    put_number(answer, "ops", LW_MODEL.operator_count);
    lw_cbor_text(answer, "counter");
    lw_cbor_text(answer, lw_port_cycles_name());
    put_number(answer, "boot", (uint32_t)bench->boot);
    put_number(answer, "cell", bench->cell_bytes);
    put_number(answer, "reset", (uint32_t)lw_port_reset_cause());
    return LW_RC_OK;
}

static void answer_result(const lw_bench *bench, lw_cbor_writer *answer)
{
    lw_cbor_map(answer, 6);
    put_number(answer, "seq", bench->result.sequence);
    put_number(answer, "cycles", bench->result.cycles);
    put_number(answer, "stack", bench->result.stack);
    put_number(answer, "crc", bench->result.output_crc);
    put_number(answer, "len", bench->output_bytes);
    put_output(answer, 0, slice_of(bench->output_bytes, 0));
}

static void answer_next(const lw_bench *bench, lw_cbor_writer *answer)
{
    lw_cbor_map(answer, 2);
    put_number(answer, "seq", bench->sequence);
    put_number(answer, "off", bench->received);
}

static lw_rc run(lw_bench *bench)
{
    lw_port_marker(true);
    uint32_t start = lw_port_cycles();
    lw_status status = LW_MODEL.infer();
    bench->result.cycles = lw_port_cycles() - start;
    lw_port_marker(false);
    if (status != LW_OK) {
        return model_error(status);
    }
    bench->runs++;
    bench->io_crc = crc_of_outputs(bench->pending_crc);
    bench->result.output_crc = crc_of_outputs(0);
    bench->result.stack = lw_stack_used();
    bench->result.sequence = bench->sequence;
    bench->result.valid = true;
    return LW_RC_OK;
}

void lw_bench_begin(lw_bench *bench)
{
    forget(bench);
    bench->receiving = true;
    bench->hold = false;
    bench->sequence = bench->runs + 1u;
    bench->slice_length = 0;
    bench->received = 0;
    bench->pending_crc = bench->io_crc;
}

lw_rc lw_bench_take(lw_bench *bench, const uint8_t *data, uint32_t count, uint32_t *taken)
{
    if (!bench->receiving) {
        lw_bench_begin(bench);
    }
    uint32_t missing = bench->input_bytes - bench->received;
    *taken = count < missing ? count : missing;
    write_inputs(data, bench->received, *taken);
    bench->pending_crc = lw_crc32(bench->pending_crc, data, *taken);
    bench->received += *taken;
    bench->receiving = bench->received < bench->input_bytes;
    return bench->receiving ? LW_RC_OK : run(bench);
}

void lw_bench_read_outputs(uint8_t *data, uint32_t length)
{
    read_outputs(data, 0, length);
}

lw_rc lw_bench_infer(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    enum { SEQ, OFF, DATA, HOLD, FIELDS };
    lw_cbor_field fields[FIELDS] = {
        [SEQ] = {.key = "seq", .type = LW_CBOR_UINT},
        [OFF] = {.key = "off", .type = LW_CBOR_UINT},
        [DATA] = {.key = "data", .type = LW_CBOR_BYTES},
        [HOLD] = {.key = "hold", .type = LW_CBOR_BOOL},
    };
    if (!lw_cbor_read_map(request, length, fields, FIELDS) || !fields[SEQ].present || !fields[OFF].present ||
        !fields[DATA].present) {
        return LW_RC_INVALID;
    }
    uint32_t sequence = fields[SEQ].number;
    uint32_t offset = fields[OFF].number;
    uint32_t count = fields[DATA].number;
    bool hold = fields[HOLD].number != 0u;
    uint32_t slice_crc = lw_crc32(0, fields[DATA].bytes, count);
    bool repeated = bench->sequence == sequence && bench->hold == hold && bench->slice_offset == offset &&
                    bench->slice_length == count && count != 0u && bench->slice_crc == slice_crc;
    if (repeated && !hold && bench->result.valid) {
        answer_result(bench, answer);
        return LW_RC_OK;
    }
    if (repeated && (bench->receiving || (bench->held && bench->steps == 0u))) {
        answer_next(bench, answer);
        return LW_RC_OK;
    }
    bool continues = bench->receiving && bench->sequence == sequence && bench->received == offset && bench->hold == hold;
    if (offset > bench->input_bytes || count > bench->input_bytes - offset || (offset != 0u && !continues)) {
        return LW_RC_INVALID;
    }
    if (bench->boot != LW_OK && (!hold || LW_MODEL.last_error() != LW_OK)) {
        return model_error(bench->boot); /* a failed self-test can be looked into, a model without buffers cannot */
    }
    if (offset == 0u) {
        forget(bench);
        bench->receiving = true;
        bench->hold = hold;
        bench->sequence = sequence;
        bench->received = 0;
        bench->pending_crc = bench->io_crc;
    }
    write_inputs(fields[DATA].bytes, offset, count);
    bench->pending_crc = lw_crc32(bench->pending_crc, fields[DATA].bytes, count);
    bench->received += count;
    bench->receiving = bench->received < bench->input_bytes;
    bench->slice_offset = offset;
    bench->slice_length = count;
    bench->slice_crc = slice_crc;
    if (!bench->receiving && !hold) {
        lw_port_drain(); /* or sending would interrupt what is measured */
        lw_rc rc = run(bench);
        if (rc == LW_RC_OK) {
            answer_result(bench, answer);
        }
        return rc;
    }
    if (!bench->receiving) {
        bench->held = true;
        bench->held_sequence = sequence;
    }
    answer_next(bench, answer);
    return LW_RC_OK;
}

lw_rc lw_bench_output(const lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    enum { SEQ, OFF, FIELDS };
    lw_cbor_field fields[FIELDS] = {
        [SEQ] = {.key = "seq", .type = LW_CBOR_UINT},
        [OFF] = {.key = "off", .type = LW_CBOR_UINT},
    };
    if (!lw_cbor_read_map(request, length, fields, FIELDS) || !fields[SEQ].present || !fields[OFF].present ||
        !bench->result.valid || fields[SEQ].number != bench->result.sequence ||
        fields[OFF].number > bench->output_bytes) {
        return LW_RC_INVALID;
    }
    lw_cbor_map(answer, 3);
    put_number(answer, "seq", fields[SEQ].number);
    put_number(answer, "off", fields[OFF].number);
    put_output(answer, fields[OFF].number, slice_of(bench->output_bytes, fields[OFF].number));
    return LW_RC_OK;
}

lw_rc lw_bench_self_test(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    if (!lw_cbor_read_map(request, length, NULL, 0)) {
        return LW_RC_INVALID;
    }
    forget(bench);
    uint32_t start = lw_port_cycles();
    bench->boot = LW_MODEL.self_test();
    uint32_t cycles = lw_port_cycles() - start;
    lw_cbor_map(answer, 2);
    lw_cbor_text(answer, "ok");
    lw_cbor_bool(answer, bench->boot == LW_OK);
    put_number(answer, "cycles", cycles);
    return LW_RC_OK;
}

/* Runs the next operator on the held sample; its cycles in `cycles`. */
static lw_status run_step(lw_bench *bench, uint32_t *cycles)
{
    uint32_t start = lw_port_cycles();
    lw_status status = LW_MODEL.step((uint16_t)bench->steps);
    *cycles = lw_port_cycles() - start;
    if (status == LW_OK) {
        bench->steps++;
    } else {
        forget(bench);
    }
    return status;
}

lw_rc lw_bench_profile(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    enum { SEQ, FIRST, FIELDS };
    lw_cbor_field fields[FIELDS] = {
        [SEQ] = {.key = "seq", .type = LW_CBOR_UINT},
        [FIRST] = {.key = "first", .type = LW_CBOR_UINT},
    };
    if (!lw_cbor_read_map(request, length, fields, FIELDS) || !fields[SEQ].present || !bench->held ||
        fields[SEQ].number != bench->held_sequence) {
        return LW_RC_INVALID;
    }
    uint32_t first = fields[FIRST].number; /* 0 when absent */
    bool answered_before = bench->profile_count != 0u && first == bench->profile_first;
    if (!answered_before) {
        if (first != bench->steps || first >= LW_MODEL.operator_count) {
            return LW_RC_INVALID;
        }
        bench->profile_first = first;
        bench->profile_count = 0;
        while (bench->steps < LW_MODEL.operator_count && bench->profile_count < LW_PROFILE_OPERATORS) {
            lw_status status = run_step(bench, &bench->profile[bench->profile_count]);
            if (status != LW_OK) {
                return model_error(status);
            }
            bench->profile_count++;
        }
    }
    uint32_t next = first + bench->profile_count;
    lw_cbor_map(answer, next < LW_MODEL.operator_count ? 3 : 2);
    put_number(answer, "seq", bench->held_sequence);
    lw_cbor_text(answer, "cycles");
    lw_cbor_array(answer, bench->profile_count);
    for (uint32_t i = 0; i < bench->profile_count; i++) {
        lw_cbor_uint(answer, bench->profile[i]);
    }
    if (next < LW_MODEL.operator_count) {
        put_number(answer, "next", next);
    }
    return LW_RC_OK;
}

static uint32_t operator_bytes(const lw_operator *op)
{
    uint32_t total = 0;
    for (uint16_t i = 0; i < op->output_count; i++) {
        total += op->outputs[i].bytes;
    }
    return total;
}

/* The outputs of an operator one after the other, from `offset` on; no answer goes beyond the end of an output. */
static void put_operator(lw_cbor_writer *answer, const lw_operator *op, uint32_t offset)
{
    uint16_t i = 0;
    while (i + 1u < op->output_count && offset >= op->outputs[i].bytes) {
        offset -= op->outputs[i].bytes;
        i++;
    }
    lw_cbor_text(answer, "out");
    lw_cbor_bytes(answer, (const uint8_t *)op->outputs[i].data + offset, slice_of(op->outputs[i].bytes, offset));
}

lw_rc lw_bench_tensor(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    enum { OP, OFF, FIELDS };
    lw_cbor_field fields[FIELDS] = {
        [OP] = {.key = "op", .type = LW_CBOR_UINT},
        [OFF] = {.key = "off", .type = LW_CBOR_UINT},
    };
    if (LW_MODEL.operators == NULL) {
        return LW_RC_NOT_SUPPORTED;
    }
    if (!lw_cbor_read_map(request, length, fields, FIELDS) || !fields[OP].present || !fields[OFF].present) {
        return LW_RC_INVALID;
    }
    uint32_t index = fields[OP].number;
    uint32_t offset = fields[OFF].number;
    if (!bench->held || index >= LW_MODEL.operator_count || index + 1u < bench->steps ||
        offset > operator_bytes(&LW_MODEL.operators[index])) {
        return LW_RC_INVALID;
    }
    while (bench->steps <= index) {
        uint32_t cycles;
        lw_status status = run_step(bench, &cycles);
        if (status != LW_OK) {
            return model_error(status);
        }
    }
    const lw_operator *op = &LW_MODEL.operators[index];
    lw_cbor_map(answer, 4);
    put_number(answer, "op", index);
    put_number(answer, "off", offset);
    put_number(answer, "len", operator_bytes(op));
    put_operator(answer, op, offset);
    return LW_RC_OK;
}

lw_rc lw_bench_status(const lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    if (!lw_cbor_read_map(request, length, NULL, 0)) {
        return LW_RC_INVALID;
    }
    lw_cbor_map(answer, 3);
    put_number(answer, "runs", bench->runs);
    put_number(answer, "io_crc", bench->io_crc);
    put_number(answer, "stack", lw_stack_used());
    return LW_RC_OK;
}
