/* ring.h: received bytes on their way from an interrupt (the only producer) to the app (the only consumer).
 *
 * Holds a whole packet as text, so that nothing is lost while the app is busy; when full, further bytes are dropped and
 * the packet's CRC tells. */
#ifndef LW_RING_H
#define LW_RING_H

#include <stddef.h>
#include <stdint.h>

#include "sizes.h"


typedef struct {
    volatile uint32_t head; /* written by the producer; both run freely and wrap */
    volatile uint32_t tail; /* written by the consumer */
    volatile uint8_t bytes[LW_RING_BYTES];
} lw_ring;

static inline void lw_ring_put(lw_ring *ring, uint8_t byte)
{
    uint32_t head = ring->head;
    if (head - ring->tail < LW_RING_BYTES) {
        ring->bytes[head % LW_RING_BYTES] = byte;
        ring->head = head + 1u;
    }
}

static inline size_t lw_ring_take(lw_ring *ring, uint8_t *bytes, size_t capacity)
{
    size_t count = 0;
    uint32_t tail = ring->tail;
    while (count < capacity && tail != ring->head) {
        bytes[count] = ring->bytes[tail % LW_RING_BYTES];
        count++;
        tail++;
    }
    ring->tail = tail;
    return count;
}

#endif /* LW_RING_H */
