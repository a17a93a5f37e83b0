/* cell.c: see cell.h. A cell that is none is searched for the start of the next one, so that a lost or doubled byte costs
 * one cell. */
#include "cell.h"

#include "crc.h"

#define REQUEST_0 0xe1u /* from the host */
#define REQUEST_1 0x5au
#define ANSWER_0 0xd2u /* to the host: nobody takes an echo for an answer */
#define ANSWER_1 0xa5u

static uint32_t crc_of(const uint8_t *cell, size_t size, uint32_t session)
{
    uint8_t key[4];
    for (uint32_t i = 0; i < 4u; i++) {
        key[i] = (uint8_t)(session >> (24u - 8u * i));
    }
    return lw_crc32(lw_crc32(0, key, sizeof key), cell + LW_CELL_SYNC_BYTES, size - LW_CELL_AROUND_BYTES);
}

static bool is_whole(const lw_cell_receiver *receiver)
{
    const uint8_t *crc = receiver->bytes + receiver->size - LW_PARITY_BYTES - LW_CELL_CRC_BYTES;
    uint32_t expected =
        ((uint32_t)crc[0] << 24) | ((uint32_t)crc[1] << 16) | ((uint32_t)crc[2] << 8) | (uint32_t)crc[3];
    return crc_of(receiver->bytes, receiver->size, receiver->session) == expected;
}

static bool may_start(const lw_cell_receiver *receiver, size_t at)
{
    return receiver->bytes[at] == REQUEST_0 && (at + 1u == receiver->length || receiver->bytes[at + 1u] == REQUEST_1);
}

/* Drops bytes until the first one left may start a cell. */
static void search(lw_cell_receiver *receiver, size_t from)
{
    size_t at = from;
    while (at < receiver->length && !may_start(receiver, at)) {
        at++;
    }
    receiver->length -= at;
    for (size_t i = 0; i < receiver->length; i++) {
        receiver->bytes[i] = receiver->bytes[at + i];
    }
}

void lw_cell_start(lw_cell_receiver *receiver, uint32_t session, size_t size)
{
    receiver->session = session;
    receiver->size = size;
    receiver->length = 0;
    receiver->in_step = false;
}

lw_cell_event lw_cell_receive(lw_cell_receiver *receiver, uint8_t byte)
{
    receiver->bytes[receiver->length] = byte;
    receiver->length++;
    if (!receiver->in_step && receiver->length <= LW_CELL_SYNC_BYTES) {
        search(receiver, 0);
    }
    if (receiver->length < receiver->size) {
        return LW_CELL_PENDING;
    }
    if (is_whole(receiver) || (lw_correct(receiver->bytes, receiver->size) && is_whole(receiver))) {
        receiver->length = 0;
        receiver->in_step = true;
        return LW_CELL_WHOLE;
    }
    receiver->in_step = false;
    search(receiver, 1);
    return LW_CELL_LOST;
}

void lw_cell_seal(uint8_t *cell, size_t size, uint32_t session)
{
    cell[0] = ANSWER_0;
    cell[1] = ANSWER_1;
    uint32_t crc = crc_of(cell, size, session);
    uint8_t *place = cell + size - LW_PARITY_BYTES - LW_CELL_CRC_BYTES;
    for (uint32_t i = 0; i < LW_CELL_CRC_BYTES; i++) {
        place[i] = (uint8_t)(crc >> (24u - 8u * i));
    }
    lw_correct_encode(cell, size);
}
