/* link_fuzz.c: whatever comes in over the line, the firmware neither misbehaves nor remembers: afterwards it describes itself.
 *
 * The first byte says how the rest arrives: as raw bytes, or cut into pieces that each become a whole SMP request or a
 * whole cell, so that the parsers behind the checks are reached. A piece is a length byte and so many bytes. */
#include <stdlib.h>
#include <string.h>

#include "harness.c"

enum { RAW, REQUESTS, CELLS, MIXED };
#define SESSION 0x5eed5eedu
#define CELL 64u

static void send_message(const uint8_t *message, size_t length)
{
    uint8_t text[2048];
    test_receive(text, test_encode(message, length, text));
}

static void send_request(uint8_t op, uint8_t group, uint8_t command, const uint8_t *body, size_t length)
{
    uint8_t message[LW_MESSAGE_BYTES] = {(uint8_t)(op | 8u), 0, (uint8_t)(length >> 8), (uint8_t)length, 0, group, 7, command};
    memcpy(message + 8, body, length);
    send_message(message, length + 8u);
}

static void open_stream(void)
{
    static const uint8_t body[] = {0xa2, 0x62, 'i', 'd', 0x1a, 0x5e, 0xed, 0x5e, 0xed, 0x64, 'c', 'e', 'l', 'l', 0x18, CELL};
    send_request(2, 64, 7, body, sizeof body);
}

static void send_cell(const uint8_t *content, size_t length)
{
    uint8_t cell[CELL] = {0};
    memcpy(cell + LW_CELL_SYNC_BYTES, content, length < CELL - LW_CELL_AROUND_BYTES ? length : CELL - LW_CELL_AROUND_BYTES);
    lw_cell_seal(cell, CELL, SESSION);
    cell[0] = 0xe1;
    cell[1] = 0x5a;
    lw_correct_encode(cell, CELL);
    test_receive(cell, CELL);
}

static void send_piece(int how, const uint8_t *piece, size_t length)
{
    if (how == CELLS) {
        send_cell(piece, length);
    } else if (how == REQUESTS && length >= 3u) {
        send_request(piece[0] & 7u, (piece[1] & 1u) != 0u ? 64u : 0u, piece[2] & 15u, piece + 3, length - 3u);
    } else {
        test_receive(piece, length);
    }
}

static void must_describe_itself(void)
{
    static const uint8_t empty_map = 0xa0;
    static uint8_t sent_now[1 << 20];
    lw_frame_decoder answers = {0};
    bool streamed = server.stream.open;
    size_t found = 0, last = 0;
    (void)test_take(sent_now);
    send_request(0, 64, 0, &empty_map, 1);
    size_t count = test_take(sent_now);
    for (size_t i = 0; i < count; i++) {
        size_t length = lw_frame_receive(&answers, sent_now[i]);
        if (length != 0u) {
            found++;
            last = length;
        }
    }
    const uint8_t *answer = lw_frame_message(&answers);
    if (found != 1u || last < 100u || answer[0] != 9u || answer[5] != 64u || answer[6] != 7u || answer[7] != 0u ||
        answer[8] != 0xb1u) {
        abort();
    }
    if (server.stream.open || (streamed && server.bench.receiving)) {
        abort(); /* any other request than one for a stream ends it, and what had come of a sample */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    test_boot();
    if (length == 0u) {
        return 0;
    }
    int mode = data[0] & 3;
    if (mode == RAW) {
        test_receive(data + 1, length - 1u);
    } else {
        if (mode != REQUESTS) {
            open_stream();
        }
        for (size_t at = 1; at < length;) {
            size_t count = data[at] & 127u, left = length - at - 1u;
            int how = mode == MIXED ? 1 + (data[at] >> 7) : mode;
            send_piece(how, data + at + 1, count < left ? count : left);
            at += count + 1u;
        }
    }
    must_describe_itself();
    return 0;
}
