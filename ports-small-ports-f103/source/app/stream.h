/* stream.h: samples without a request for each: cells of input bytes in, a cell for each result out.
 *
 * Opened by command 7 of the leadwire group; any other whole SMP request closes it. Inputs follow each other without gaps.
 * Cells are taken in the order of their numbers alone; every other one is answered with the number that is wanted.
 * The latest results are kept, so that a lost answer can be asked for again without a second run. */
#ifndef LW_STREAM_H
#define LW_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "cbor.h"
#include "cell.h"

typedef struct {
    bool open;
    uint16_t wanted;  /* number of the next cell */
    size_t answer_size;
    uint32_t slots; /* results that fit the store */
    uint32_t kept;  /* ... and of these are there: of the runs up to last_kept */
    uint32_t last_kept;
    lw_cell_receiver receiver;
    uint8_t answer[LW_CELL_BYTES];
    uint8_t store[LW_STORE_BYTES];
} lw_stream;

/* After lw_bench_boot(). */
void lw_stream_boot(lw_stream *stream, lw_bench *bench);

/* Command 7. Repeated with the id of the open stream it only answers. */
lw_rc lw_stream_open(lw_stream *stream, lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);

/* Ends it; what has come of a sample is forgotten. */
void lw_stream_close(lw_stream *stream, lw_bench *bench);

/* Takes a byte while open, and answers through lw_port_write(). */
void lw_stream_receive(lw_stream *stream, lw_bench *bench, uint8_t byte);

#endif /* LW_STREAM_H */
