/* serial.c: see serial.h. */
#include "serial.h"

#include "core.h"
#include "port.h"
#include "ring.h"
#include "uart.h"

#define DRAIN_POLLS 10000000u /* seconds, on any of the chips */

static lw_ring received, sending;

/* From the interrupt, or with interrupts masked. */
static void move_on(void)
{
    uint32_t tail = sending.tail;
    uint32_t head = sending.head;
    while (tail != head && lw_uart_send(sending.bytes[tail % LW_RING_BYTES])) {
        tail++;
    }
    sending.tail = tail;
    lw_uart_send_interrupt(tail != head);
}

/* A byte that came meanwhile needs no interrupt of its own: on an emulator, which delivers many at once, that is most of
 * the cost of a byte. */
void lw_serial_interrupt(void)
{
    uint8_t byte;
    while (lw_uart_receive(&byte)) {
        lw_ring_put(&received, byte);
    }
    if (sending.tail != sending.head) {
        move_on();
    } else {
        lw_uart_send_interrupt(false);
    }
}

bool lw_serial_waiting(void)
{
    return received.head != received.tail;
}

size_t lw_port_read(uint8_t *bytes, size_t capacity)
{
    return lw_ring_take(&received, bytes, capacity);
}

/* Whatever the interrupt does: an emulator may have none for sending. */
static void push(void)
{
    uint32_t before = lw_core_mask();
    move_on();
    lw_core_unmask(before);
}

void lw_port_write(const uint8_t *bytes, size_t length)
{
    size_t i = 0;
    uint32_t before = lw_core_mask();
    if (sending.tail == sending.head) {
        while (i < length && lw_uart_send(bytes[i])) {
            i++;
        }
    }
    lw_core_unmask(before);
    if (i == length) {
        return;
    }
    for (; i < length; i++) {
        while (sending.head - sending.tail == LW_RING_BYTES) {
            push();
        }
        lw_ring_put(&sending, bytes[i]);
    }
    push();
}

void lw_port_drain(void)
{
    for (uint32_t poll = 0; poll < DRAIN_POLLS && (sending.tail != sending.head || !lw_uart_idle()); poll++) {
        push();
    }
}
