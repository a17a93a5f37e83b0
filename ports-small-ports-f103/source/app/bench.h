/* bench.h: the leadwire group of the link: runs LW_MODEL of the generated "model.h" and counts.
 *
 * Every command reads its CBOR map and writes its answer; the result is LW_RC_OK or a code for the error answer. */
#ifndef LW_BENCH_H
#define LW_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbor.h"
#include "leadwire.h"
#include "sizes.h"

typedef enum {
    LW_RC_OK = 0,
    LW_RC_INVALID = 3,
    LW_RC_TOO_LONG = 7,
    LW_RC_NOT_SUPPORTED = 8,
    LW_RC_MODEL = 16 /* + lw_status */
} lw_rc;

#define LW_PROFILE_OPERATORS 64u /* cycles of as many operators fit one message */

/* A finished run, kept so that a repeated last slice is answered without running again. */
typedef struct {
    bool valid; /* the outputs are still in the arena */
    uint32_t sequence;
    uint32_t cycles;
    uint32_t stack;
    uint32_t output_crc;
} lw_result;

typedef struct {
    lw_status boot;        /* of init() and the golden self-test: LW_OK or why `infer` is refused */
    uint32_t input_bytes;  /* of all inputs */
    uint32_t output_bytes; /* of all outputs */
    uint32_t cell_bytes;   /* largest cell of a stream, 0 where there are no streams */
    uint32_t runs;         /* completed since reset */
    uint32_t io_crc;       /* CRC-32 over the (input, output) bytes of all runs */

    bool receiving; /* a sample has begun and is not complete */
    bool hold;      /* ... and is to be kept for profile and tensor */
    uint32_t sequence;
    uint32_t received;
    uint32_t pending_crc; /* io_crc carried over the input received so far */

    uint32_t slice_offset; /* of the latest slice, which is known when it comes again */
    uint32_t slice_length;
    uint32_t slice_crc;

    lw_result result;

    bool held; /* a held sample is complete; `steps` operators have run on it */
    uint32_t held_sequence;
    uint32_t steps;
    uint32_t profile_first;
    uint32_t profile_count;
    uint32_t profile[LW_PROFILE_OPERATORS];
} lw_bench;

/* Without requests, for a stream: lw_bench_take() takes input bytes, begins a sample where none is being received, runs the
 * model when they complete one, and then stops; `taken` is how many it took. lw_bench_begin() forgets what has come. */
void lw_bench_begin(lw_bench *bench);
lw_rc lw_bench_take(lw_bench *bench, const uint8_t *data, uint32_t count, uint32_t *taken);

/* The first `length` bytes of all outputs. */
void lw_bench_read_outputs(uint8_t *data, uint32_t length);

/* Prepares the model and runs its golden self-test. */
void lw_bench_boot(lw_bench *bench);

lw_rc lw_bench_describe(const lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);
lw_rc lw_bench_infer(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);
lw_rc lw_bench_output(const lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);
lw_rc lw_bench_self_test(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);
lw_rc lw_bench_profile(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);
lw_rc lw_bench_tensor(lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);
lw_rc lw_bench_status(const lw_bench *bench, const uint8_t *request, size_t length, lw_cbor_writer *answer);

#endif /* LW_BENCH_H */
