/* smp.h: the server of MCUmgr's Simple Management Protocol: one request in, one response out. */
#ifndef LW_SMP_H
#define LW_SMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"
#include "frame.h"
#include "stream.h"

#define LW_SMP_HEADER_BYTES 8u

typedef struct {
    lw_bench bench;
    lw_stream stream;
    lw_frame_decoder decoder;
    uint8_t response[LW_MESSAGE_BYTES];
    bool reset_wanted; /* restart once the response is out */
} lw_smp;

/* Prepares the model and runs its golden self-test. */
void lw_smp_boot(lw_smp *server);

/* Answers one SMP message in server->response; returns the length of the response, 0 where none is due. */
size_t lw_smp_answer(lw_smp *server, const uint8_t *request, size_t length);

/* Takes received bytes; sends the answers through lw_port_write() and resets the chip when asked to. */
void lw_smp_receive(lw_smp *server, const uint8_t *bytes, size_t length);

#endif /* LW_SMP_H */
