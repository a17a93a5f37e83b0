/* stream.c: see stream.h and docs/manual/link-protocol.md, "Streams". */
#include "stream.h"

#include "port.h"

#define NUMBER_AT 2u /* request: number:u16 | count:u8 | data */
#define COUNT_AT 4u
#define DATA_AT 5u
#define REQUEST_AROUND_BYTES (DATA_AT + LW_CELL_CRC_BYTES + LW_PARITY_BYTES)
#define QUESTION_BYTES 4u /* run number of the first result wanted again */

#define KIND_AT 2u /* answer: kind:u8 | wanted:u16 | runs:u32 | cycles:u32 | stack:u32 | io_crc:u32 | offset:u16 | outputs */
#define WANTED_AT 3u
#define RUNS_AT 5u
#define RECORD_AT 9u
#define OFFSET_AT 21u
#define OUTPUT_AT 23u
#define ANSWER_AROUND_BYTES (OUTPUT_AT + LW_CELL_CRC_BYTES + LW_PARITY_BYTES)
#define RECORD_BYTES 12u /* cycles, stack, io_crc of a kept result, its outputs behind them */

typedef enum { ANSWER_STATE, ANSWER_LOST, ANSWER_RESULT, ANSWER_REFUSED } answer_kind;

#define SMALLEST_CELL_BYTES 32u

static void put(uint8_t *place, uint32_t bytes, uint32_t value)
{
    for (uint32_t i = 0; i < bytes; i++) {
        place[i] = (uint8_t)(value >> (8u * (bytes - 1u - i)));
    }
}

static uint32_t get(const uint8_t *place, uint32_t bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        value = (value << 8) | place[i];
    }
    return value;
}

static uint8_t *slot_of(lw_stream *stream, const lw_bench *bench, uint32_t run)
{
    return stream->store + (run % stream->slots) * (RECORD_BYTES + bench->output_bytes);
}

static void send(lw_stream *stream, answer_kind kind, uint32_t runs)
{
    stream->answer[KIND_AT] = (uint8_t)kind;
    put(stream->answer + WANTED_AT, 2, stream->wanted);
    put(stream->answer + RUNS_AT, 4, runs);
    lw_cell_seal(stream->answer, stream->answer_size, stream->receiver.session);
    lw_port_write(stream->answer, stream->answer_size);
}

static void clear_answer(lw_stream *stream)
{
    for (size_t i = RECORD_AT; i < stream->answer_size; i++) {
        stream->answer[i] = 0;
    }
}

static void send_state(lw_stream *stream, const lw_bench *bench, answer_kind kind)
{
    clear_answer(stream);
    send(stream, kind, bench->runs);
}

static void send_result(lw_stream *stream, const lw_bench *bench, uint32_t run)
{
    const uint8_t *kept = slot_of(stream, bench, run);
    uint32_t room = (uint32_t)(stream->answer_size - ANSWER_AROUND_BYTES);
    for (uint32_t offset = 0; offset < bench->output_bytes; offset += room) {
        uint32_t left = bench->output_bytes - offset;
        clear_answer(stream);
        for (uint32_t i = 0; i < RECORD_BYTES; i++) {
            stream->answer[RECORD_AT + i] = kept[i];
        }
        put(stream->answer + OFFSET_AT, 2, offset);
        for (uint32_t i = 0; i < left && i < room; i++) {
            stream->answer[OUTPUT_AT + i] = kept[RECORD_BYTES + offset + i];
        }
        send(stream, ANSWER_RESULT, run);
    }
}

/* The result of the run that has just ended; its outputs leave the arena before the next input comes. */
static void keep_result(lw_stream *stream, lw_bench *bench)
{
    uint8_t *slot = slot_of(stream, bench, bench->runs);
    put(slot, 4, bench->result.cycles);
    put(slot + 4, 4, bench->result.stack);
    put(slot + 8, 4, bench->io_crc);
    lw_bench_read_outputs(slot + RECORD_BYTES, bench->output_bytes);
    if (bench->runs != stream->last_kept + 1u) {
        stream->kept = 0; /* something else ran in between */
    }
    if (stream->kept < stream->slots) {
        stream->kept++;
    }
    stream->last_kept = bench->runs;
}

static void answer_question(lw_stream *stream, const lw_bench *bench, uint32_t from)
{
    uint32_t wanted = bench->runs - from + 1u; /* results */
    if (wanted == 0u || wanted > stream->kept || stream->last_kept != bench->runs) { /* not yet run, or not kept */
        send_state(stream, bench, ANSWER_STATE);
        return;
    }
    for (uint32_t run = from; run != bench->runs + 1u; run++) {
        send_result(stream, bench, run);
    }
}

static void take_data(lw_stream *stream, lw_bench *bench, const uint8_t *data, uint32_t count)
{
    bool answered = false;
    stream->wanted++;
    while (count > 0u) {
        uint32_t taken = 0;
        lw_rc rc = lw_bench_take(bench, data, count, &taken);
        if (rc != LW_RC_OK) {
            clear_answer(stream);
            put(stream->answer + RECORD_AT, 4, (uint32_t)rc);
            send(stream, ANSWER_REFUSED, bench->runs);
            stream->open = false;
            return;
        }
        data += taken;
        count -= taken;
        if (!bench->receiving) {
            keep_result(stream, bench);
            send_result(stream, bench, bench->runs);
            answered = true;
        }
    }
    if (!answered) {
        send_state(stream, bench, ANSWER_STATE);
    }
}

void lw_stream_boot(lw_stream *stream, lw_bench *bench)
{
    uint32_t room = LW_CELL_BYTES - ANSWER_AROUND_BYTES;
    stream->open = false;
    stream->slots = bench->output_bytes <= LW_STORE_BYTES - RECORD_BYTES
                        ? LW_STORE_BYTES / (RECORD_BYTES + bench->output_bytes)
                        : 0u;
    stream->answer_size = ANSWER_AROUND_BYTES + (bench->output_bytes < room ? bench->output_bytes : room);
    stream->kept = 0;
    stream->last_kept = bench->runs;
    bench->cell_bytes = stream->slots == 0u ? 0u : LW_CELL_BYTES; /* outputs too large to be kept: no streams */
}

lw_rc lw_stream_open(lw_stream *stream, lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    enum { ID, CELL, FIELDS };
    lw_cbor_field fields[FIELDS] = {
        [ID] = {.key = "id", .type = LW_CBOR_UINT},
        [CELL] = {.key = "cell", .type = LW_CBOR_UINT},
    };
    if (!lw_cbor_read_map(request, length, fields, FIELDS) || !fields[ID].present || !fields[CELL].present ||
        fields[CELL].number < SMALLEST_CELL_BYTES) {
        return LW_RC_INVALID;
    }
    if (stream->slots == 0u) {
        return LW_RC_NOT_SUPPORTED;
    }
    if (bench->boot != LW_OK) {
        return (lw_rc)(LW_RC_MODEL + (int)bench->boot);
    }
    if (!stream->open || stream->receiver.session != fields[ID].number) {
        uint32_t size = fields[CELL].number < LW_CELL_BYTES ? fields[CELL].number : LW_CELL_BYTES;
        lw_bench_begin(bench);
        lw_cell_start(&stream->receiver, fields[ID].number, size);
        stream->wanted = 0;
        stream->open = true;
    }
    lw_cbor_map(answer, 7);
    lw_cbor_text(answer, "id");
    lw_cbor_uint(answer, stream->receiver.session);
    lw_cbor_text(answer, "cell");
    lw_cbor_uint(answer, (uint32_t)stream->receiver.size);
    lw_cbor_text(answer, "answer");
    lw_cbor_uint(answer, (uint32_t)stream->answer_size);
    lw_cbor_text(answer, "window");
    lw_cbor_uint(answer, LW_RING_BYTES);
    lw_cbor_text(answer, "kept");
    lw_cbor_uint(answer, stream->slots);
    lw_cbor_text(answer, "runs");
    lw_cbor_uint(answer, bench->runs);
    lw_cbor_text(answer, "io_crc");
    lw_cbor_uint(answer, bench->io_crc);
    return LW_RC_OK;
}

void lw_stream_close(lw_stream *stream, lw_bench *bench)
{
    if (stream->open) {
        stream->open = false;
        lw_bench_begin(bench);
        bench->receiving = false;
    }
}

void lw_stream_receive(lw_stream *stream, lw_bench *bench, uint8_t byte)
{
    lw_cell_event event = lw_cell_receive(&stream->receiver, byte);
    if (event == LW_CELL_PENDING) {
        return;
    }
    const uint8_t *cell = stream->receiver.bytes;
    uint32_t number = get(cell + NUMBER_AT, 2);
    uint32_t count = cell[COUNT_AT];
    if (event == LW_CELL_LOST || count > stream->receiver.size - REQUEST_AROUND_BYTES) {
        send_state(stream, bench, ANSWER_LOST);
    } else if (count == 0u) {
        answer_question(stream, bench, get(cell + DATA_AT, QUESTION_BYTES));
    } else if (number == stream->wanted) {
        take_data(stream, bench, cell + DATA_AT, count);
    } else {
        bool ahead = ((number - stream->wanted) & 0xffffu) < 0x8000u;
        send_state(stream, bench, ahead ? ANSWER_LOST : ANSWER_STATE);
    }
}
