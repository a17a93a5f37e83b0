/* cell.h: blocks of a fixed size on a line that damages bytes (docs/manual/link-protocol.md, "Cells").
 *
 * cell = sync:2 | content | crc32:u32 big-endian | parity:6. The CRC covers the content and begins with that of the
 * session, so that cells of another session are none. */
#ifndef LW_CELL_H
#define LW_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correct.h"
#include "sizes.h"

#define LW_CELL_SYNC_BYTES 2u
#define LW_CELL_CRC_BYTES 4u
#define LW_CELL_AROUND_BYTES (LW_CELL_SYNC_BYTES + LW_CELL_CRC_BYTES + LW_PARITY_BYTES)

typedef enum {
    LW_CELL_PENDING, /* more bytes are needed */
    LW_CELL_WHOLE,   /* `bytes` holds a cell; its content begins after the sync */
    LW_CELL_LOST     /* what should have been a cell is none */
} lw_cell_event;

typedef struct {
    uint32_t session;
    size_t size;   /* of each cell */
    size_t length; /* bytes so far */
    bool in_step;  /* the cell before was whole, so the next begins right here, whatever its sync looks like */
    uint8_t bytes[LW_CELL_BYTES];
} lw_cell_receiver;

void lw_cell_start(lw_cell_receiver *receiver, uint32_t session, size_t size);

lw_cell_event lw_cell_receive(lw_cell_receiver *receiver, uint8_t byte);

/* Writes sync, CRC and parity around the content of an answer, which the caller has put behind the sync. */
void lw_cell_seal(uint8_t *cell, size_t size, uint32_t session);

#endif /* LW_CELL_H */
