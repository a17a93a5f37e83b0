/* smp.c: see smp.h and docs/manual/link-protocol.md. */
#include "smp.h"

#include "port.h"

#define OP_READ 0u
#define OP_WRITE 2u
#define OP_RESPONSE 1u
#define GROUP_OS 0u
#define GROUP_LEADWIRE 64u

/* What a request asks for, as one number for a switch. */
#define ASKS(group, op, command) (((uint32_t)(group) << 16) | ((uint32_t)(op) << 8) | (uint32_t)(command))

#define OPENS_STREAM ASKS(GROUP_LEADWIRE, OP_WRITE, 7)

static lw_rc echo(const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    lw_cbor_field text = {.key = "d", .type = LW_CBOR_TEXT};
    if (!lw_cbor_read_map(request, length, &text, 1) || !text.present) {
        return LW_RC_INVALID;
    }
    lw_cbor_map(answer, 1);
    lw_cbor_text(answer, "r");
    lw_cbor_text_bytes(answer, text.bytes, text.number);
    return LW_RC_OK;
}

static lw_rc reset(lw_smp *server, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    if (!lw_cbor_read_map(request, length, NULL, 0)) { /* MCUmgr's "force" is accepted and means nothing here */
        return LW_RC_INVALID;
    }
    server->reset_wanted = true;
    lw_cbor_map(answer, 0);
    return LW_RC_OK;
}

static lw_rc parameters(const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    if (!lw_cbor_read_map(request, length, NULL, 0)) {
        return LW_RC_INVALID;
    }
    lw_cbor_map(answer, 2);
    lw_cbor_text(answer, "buf_size");
    lw_cbor_uint(answer, LW_PACKET_BYTES);
    lw_cbor_text(answer, "buf_count");
    lw_cbor_uint(answer, 1);
    return LW_RC_OK;
}

static lw_rc dispatch(lw_smp *server, uint32_t asked, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    if (asked != OPENS_STREAM) {
        lw_stream_close(&server->stream, &server->bench);
    }
    switch (asked) {
    case ASKS(GROUP_OS, OP_WRITE, 0):
        return echo(request, length, answer);
    case ASKS(GROUP_OS, OP_WRITE, 5):
        return reset(server, request, length, answer);
    case ASKS(GROUP_OS, OP_READ, 6):
        return parameters(request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_READ, 0):
        return lw_bench_describe(&server->bench, request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_WRITE, 1):
        return lw_bench_infer(&server->bench, request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_READ, 2):
        return lw_bench_output(&server->bench, request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_WRITE, 3):
        return lw_bench_self_test(&server->bench, request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_WRITE, 4):
        return lw_bench_profile(&server->bench, request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_READ, 5):
        return lw_bench_tensor(&server->bench, request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_READ, 6):
        return lw_bench_status(&server->bench, request, length, answer);
    case OPENS_STREAM:
        return lw_stream_open(&server->stream, &server->bench, request, length, answer);
    default:
        return LW_RC_NOT_SUPPORTED;
    }
}

static void answer_error(lw_cbor_writer *answer, uint32_t version, uint32_t group, lw_rc rc)
{
    answer->length = 0;
    answer->overflow = false;
    lw_cbor_map(answer, 1);
    if (version != 0u) {
        lw_cbor_text(answer, "err");
        lw_cbor_map(answer, 2);
        lw_cbor_text(answer, "group");
        lw_cbor_uint(answer, group);
    }
    lw_cbor_text(answer, "rc");
    lw_cbor_uint(answer, (uint32_t)rc);
}

void lw_smp_boot(lw_smp *server)
{
    lw_bench_boot(&server->bench);
    lw_stream_boot(&server->stream, &server->bench);
}

size_t lw_smp_answer(lw_smp *server, const uint8_t *request, size_t length)
{
    if (length < LW_SMP_HEADER_BYTES) {
        return 0;
    }
    uint32_t op = request[0] & 7u;
    uint32_t version = ((uint32_t)request[0] >> 3) & 3u;
    size_t payload = ((size_t)request[2] << 8) | request[3];
    uint32_t group = ((uint32_t)request[4] << 8) | request[5];
    if (payload != length - LW_SMP_HEADER_BYTES || (op != OP_READ && op != OP_WRITE)) {
        return 0;
    }
    uint8_t *response = server->response;
    lw_cbor_writer answer = {.data = response + LW_SMP_HEADER_BYTES,
                             .capacity = LW_MESSAGE_BYTES - LW_SMP_HEADER_BYTES};
    lw_rc rc = dispatch(server, ASKS(group, op, request[7]), request + LW_SMP_HEADER_BYTES, payload, &answer);
    if (rc == LW_RC_OK && answer.overflow) {
        rc = LW_RC_TOO_LONG;
    }
    if (rc != LW_RC_OK) {
        answer_error(&answer, version, group, rc);
    }
    response[0] = (uint8_t)(request[0] | OP_RESPONSE);
    response[1] = 0;
    response[2] = (uint8_t)(answer.length >> 8);
    response[3] = (uint8_t)answer.length;
    for (uint32_t i = 4; i < LW_SMP_HEADER_BYTES; i++) {
        response[i] = request[i]; /* group, sequence and command come back as they were */
    }
    return LW_SMP_HEADER_BYTES + answer.length;
}

void lw_smp_receive(lw_smp *server, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        size_t message = lw_frame_receive(&server->decoder, bytes[i]);
        size_t response = message == 0u ? 0u : lw_smp_answer(server, lw_frame_message(&server->decoder), message);
        if (response == 0u) {
            if (message == 0u && server->stream.open) {
                lw_stream_receive(&server->stream, &server->bench, bytes[i]);
            }
            continue;
        }
        lw_frame_encoder encoder;
        uint8_t line[LW_LINE_BYTES];
        size_t line_length;
        lw_frame_begin(&encoder, server->response, response);
        while ((line_length = lw_frame_next_line(&encoder, line)) != 0u) {
            lw_port_write(line, line_length);
        }
        if (server->reset_wanted) {
            server->reset_wanted = false;
            lw_port_reset();
        }
    }
}
