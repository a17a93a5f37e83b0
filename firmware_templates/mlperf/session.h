/* session.h: the serial protocol of MLPerf Tiny as a device speaks it (docs/manual/mlperf-tiny.md).
 *
 * A command is ASCII words with spaces between, ended by '%'. Of a longer one the first LW_COMMAND_BYTES characters
 * count. Every command, and the start, ends with the line "m-ready". */
#ifndef LW_MLPERF_SESSION_H
#define LW_MLPERF_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leadwire.h"

#define LW_COMMAND_BYTES 80u

#ifndef LW_MLPERF_BUFFER_BYTES
#define LW_MLPERF_BUFFER_BYTES 27648u /* the protocol's limit: 96 * 96 * 3 */
#endif

typedef struct {
    char command[LW_COMMAND_BYTES + 1u];
    uint32_t command_length;

    uint8_t buffer[LW_MLPERF_BUFFER_BYTES];
    uint32_t expected; /* bytes that "db load" asked for, 0 before */
    uint32_t received; /* of them */

    lw_status boot;  /* of init() and the golden self-test: LW_OK or why "infer" is refused */
    bool has_result; /* the outputs of a run are in the arena */

    uint64_t cycles; /* of lw_port_cycles(), which wraps, carried on */
    uint32_t last_cycles;
} lw_session;

/* Prepares the model, runs its golden self-test and greets. */
void lw_session_boot(lw_session *session);

/* Takes received bytes and answers every command that they complete. Called at least once in the counter's period,
 * or the time of `m-lap-us` misses a whole period; within one command none is missed. */
void lw_session_receive(lw_session *session, const uint8_t *bytes, size_t length);

#endif /* LW_MLPERF_SESSION_H */
