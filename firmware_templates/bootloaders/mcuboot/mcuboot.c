/* mcuboot.c: starts the image in its only slot when its digest is right, else takes another one over the serial port.
 *
 * The image format and the serial recovery are MCUboot's: SMP messages of the groups OS (echo, reset, parameters) and
 * image (state, upload), as smpclient and mcumgr speak them. With a right image recovery waits RECOVERY_MS for a message
 * of the image group, as MCUboot does where it waits for a firmware update; without one it waits for ever. Its own
 * message `identity` (group 64, command 32) gives the chip's number.
 *
 * An upload erases each sector right before the first byte that goes into it, the first one first: from then on until
 * its last byte is written the slot holds no right image, so that a supply that fails leaves the board in recovery. */
#include "boot.h"
#include "cbor.h"
#include "frame.h"
#include "image.h"

#define SLOT_SECTOR 5u /* the first of 128 KiB: what is before it belongs to this program */
#define RECOVERY_MS 500u
#define OP_READ 0u
#define OP_WRITE 2u
#define OP_RESPONSE 1u
#define HEADER_BYTES 8u
#define GROUP_OS 0u
#define GROUP_IMAGE 1u
#define GROUP_LEADWIRE 64u
#define RC_UNKNOWN 1u
#define RC_INVALID 3u
#define RC_NOT_SUPPORTED 8u
#define ASKS(group, op, command) (((uint32_t)(group) << 16) | ((uint32_t)(op) << 8) | (uint32_t)(command))
#define VERSION_CHARACTERS 32u

typedef struct {
    lw_span slot;
    lw_image image;
    uint32_t total;      /* bytes of the upload, 0: none has begun */
    uint32_t received;   /* of them */
    uint32_t next_erase; /* the first sector that this upload has not erased */
    bool entered;        /* a message of the image group has come */
    bool reset_wanted;
    lw_frame_decoder decoder;
    uint8_t response[LW_MESSAGE_BYTES];
} recovery;

static lw_span whole_slot(void)
{
    lw_span first = lw_boot_sector(SLOT_SECTOR);
    lw_span last = lw_boot_sector(lw_boot_sector_count() - 1u);
    return (lw_span){.address = first.address, .length = last.address + last.length - first.address};
}

static size_t append_number(char *text, size_t at, uint32_t value)
{
    char digits[10];
    size_t count = 0;
    do {
        digits[count] = (char)('0' + value % 10u);
        count++;
        value /= 10u;
    } while (value != 0u);
    while (count != 0u) {
        count--;
        text[at] = digits[count];
        at++;
    }
    return at;
}

static void write_version(lw_cbor_writer *answer, const lw_image *image)
{
    char text[VERSION_CHARACTERS];
    size_t at = append_number(text, 0, image->major);
    text[at++] = '.';
    at = append_number(text, at, image->minor);
    text[at++] = '.';
    at = append_number(text, at, image->revision);
    if (image->build != 0u) {
        text[at++] = '.';
        at = append_number(text, at, image->build);
    }
    lw_cbor_text_bytes(answer, (const uint8_t *)text, at);
}

static uint32_t image_state(recovery *server, lw_cbor_writer *answer)
{
    if (!server->image.valid) { /* a finished upload has not been looked at yet */
        server->image = lw_image_examine(server->slot);
    }
    lw_cbor_map(answer, 1);
    lw_cbor_text(answer, "images");
    lw_cbor_array(answer, server->image.valid ? 1u : 0u);
    if (server->image.valid) {
        lw_cbor_map(answer, 6);
        lw_cbor_text(answer, "image");
        lw_cbor_uint(answer, 0);
        lw_cbor_text(answer, "slot");
        lw_cbor_uint(answer, 0);
        lw_cbor_text(answer, "version");
        write_version(answer, &server->image);
        lw_cbor_text(answer, "hash");
        lw_cbor_bytes(answer, server->image.digest, LW_SHA256_BYTES);
        lw_cbor_text(answer, "bootable");
        lw_cbor_bool(answer, true);
        lw_cbor_text(answer, "active");
        lw_cbor_bool(answer, true);
    }
    return 0;
}

static bool erase_up_to(recovery *server, uint32_t end)
{
    while (server->next_erase < lw_boot_sector_count()) {
        lw_span sector = lw_boot_sector(server->next_erase);
        if (sector.address >= end) {
            break;
        }
        if (!lw_boot_erase(server->next_erase)) {
            return false;
        }
        server->next_erase++;
    }
    return true;
}

static uint32_t image_upload(recovery *server, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    lw_cbor_field fields[] = {{.key = "off", .type = LW_CBOR_UINT},
                              {.key = "data", .type = LW_CBOR_BYTES},
                              {.key = "len", .type = LW_CBOR_UINT},
                              {.key = "image", .type = LW_CBOR_UINT}};
    const lw_cbor_field *offset = &fields[0];
    const lw_cbor_field *data = &fields[1];
    const lw_cbor_field *total = &fields[2];
    if (!lw_cbor_read_map(request, length, fields, 4) || !offset->present || !data->present ||
        (fields[3].present && fields[3].number != 0u)) {
        return RC_INVALID;
    }
    if (offset->number == 0u) {
        if (!total->present || total->number == 0u || total->number > server->slot.length) {
            return RC_INVALID;
        }
        server->image.valid = false;
        server->total = total->number;
        server->received = 0;
        server->next_erase = SLOT_SECTOR;
    }
    if (offset->number == server->received && server->total != 0u) {
        uint32_t place = server->slot.address + server->received;
        if (data->number > server->total - server->received) {
            return RC_INVALID;
        }
        if (!erase_up_to(server, place + data->number) || !lw_boot_program(place, data->bytes, data->number)) {
            server->total = 0;
            return RC_UNKNOWN;
        }
        server->received += data->number;
    } /* else: one that came before or that another was lost before; the answer says what is due */
    lw_cbor_map(answer, 2);
    lw_cbor_text(answer, "rc");
    lw_cbor_uint(answer, 0);
    lw_cbor_text(answer, "off");
    lw_cbor_uint(answer, server->received);
    return 0;
}

static uint32_t echo(const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    lw_cbor_field text = {.key = "d", .type = LW_CBOR_TEXT};
    if (!lw_cbor_read_map(request, length, &text, 1) || !text.present) {
        return RC_INVALID;
    }
    lw_cbor_map(answer, 1);
    lw_cbor_text(answer, "r");
    lw_cbor_text_bytes(answer, text.bytes, text.number);
    return 0;
}

static uint32_t parameters(lw_cbor_writer *answer)
{
    lw_cbor_map(answer, 2);
    lw_cbor_text(answer, "buf_size");
    lw_cbor_uint(answer, LW_PACKET_BYTES);
    lw_cbor_text(answer, "buf_count");
    lw_cbor_uint(answer, 1);
    return 0;
}

static uint32_t identity(lw_cbor_writer *answer)
{
    lw_cbor_map(answer, 1);
    lw_cbor_text(answer, "uid");
    uint8_t *place = lw_cbor_reserve(answer, LW_UNIQUE_ID_BYTES);
    for (uint32_t i = 0; place != NULL && i < LW_UNIQUE_ID_BYTES; i++) {
        place[i] = lw_boot_unique_id()[i];
    }
    return 0;
}

static uint32_t dispatch(recovery *server, uint32_t asked, const uint8_t *request, size_t length, lw_cbor_writer *answer)
{
    switch (asked) {
    case ASKS(GROUP_OS, OP_WRITE, 0):
        return echo(request, length, answer);
    case ASKS(GROUP_OS, OP_WRITE, 5):
        server->reset_wanted = true;
        lw_cbor_map(answer, 0);
        return 0;
    case ASKS(GROUP_OS, OP_READ, 6):
        return parameters(answer);
    case ASKS(GROUP_IMAGE, OP_READ, 0):
    case ASKS(GROUP_IMAGE, OP_WRITE, 0): /* one slot: there is nothing to choose */
        return image_state(server, answer);
    case ASKS(GROUP_IMAGE, OP_WRITE, 1):
        return image_upload(server, request, length, answer);
    case ASKS(GROUP_LEADWIRE, OP_READ, 32):
        return identity(answer);
    default:
        return RC_NOT_SUPPORTED;
    }
}

/* The length of the answer in server->response, 0 where none is due. */
static size_t answer_message(recovery *server, const uint8_t *request, size_t length)
{
    if (length < HEADER_BYTES) {
        return 0;
    }
    uint32_t op = request[0] & 7u;
    uint32_t version = ((uint32_t)request[0] >> 3) & 3u;
    size_t payload = ((size_t)request[2] << 8) | request[3];
    uint32_t group = ((uint32_t)request[4] << 8) | request[5];
    if (payload != length - HEADER_BYTES || (op != OP_READ && op != OP_WRITE)) {
        return 0;
    }
    server->entered = server->entered || group == GROUP_IMAGE || (group == GROUP_LEADWIRE && request[7] == 32u);
    if (!server->entered && server->image.valid) {
        return 0; /* meant for the program that is about to start: it will be sent again */
    }
    lw_cbor_writer answer = {.data = server->response + HEADER_BYTES, .capacity = LW_MESSAGE_BYTES - HEADER_BYTES};
    uint32_t rc = dispatch(server, ASKS(group, op, request[7]), request + HEADER_BYTES, payload, &answer);
    if (rc != 0u || answer.overflow) {
        answer.length = 0;
        answer.overflow = false;
        lw_cbor_map(&answer, 1);
        if (version != 0u) {
            lw_cbor_text(&answer, "err");
            lw_cbor_map(&answer, 2);
            lw_cbor_text(&answer, "group");
            lw_cbor_uint(&answer, group);
        }
        lw_cbor_text(&answer, "rc");
        lw_cbor_uint(&answer, rc != 0u ? rc : RC_UNKNOWN);
    }
    server->response[0] = (uint8_t)(request[0] | OP_RESPONSE);
    server->response[1] = 0;
    server->response[2] = (uint8_t)(answer.length >> 8);
    server->response[3] = (uint8_t)answer.length;
    for (uint32_t i = 4; i < HEADER_BYTES; i++) {
        server->response[i] = request[i];
    }
    return HEADER_BYTES + answer.length;
}

static void receive(recovery *server, uint8_t byte)
{
    size_t message = lw_frame_receive(&server->decoder, byte);
    size_t length = message == 0u ? 0u : answer_message(server, lw_frame_message(&server->decoder), message);
    if (length == 0u) {
        return;
    }
    lw_frame_encoder encoder;
    uint8_t line[LW_LINE_BYTES];
    size_t line_length;
    lw_frame_begin(&encoder, server->response, length);
    while ((line_length = lw_frame_next_line(&encoder, line)) != 0u) {
        lw_boot_write(line, line_length);
    }
    if (server->reset_wanted) {
        lw_boot_reset();
    }
}

int main(void)
{
    static recovery server;
    lw_boot_init();
    server.slot = whole_slot();
    server.image = lw_image_examine(server.slot);
    uint32_t waited = 0;
    for (;;) {
        uint8_t byte;
        if (lw_boot_read(&byte, 1)) {
            receive(&server, byte);
        } else if (server.image.valid && !server.entered) {
            waited++;
            if (waited >= RECOVERY_MS) {
                lw_boot_start(server.image.vectors);
            }
        }
    }
}
