/* uart.h: the UART, one byte at a time; see app/serial.h. */
#ifndef LW_NRF51_UART_H
#define LW_NRF51_UART_H

#include <stdbool.h>

#include "registers.h"

/* Set while a byte that was sent has not been reported as out: TXDRDY says nothing before the first one. */
extern bool lw_uart_busy;

/* The receiver holds six bytes; the event is cleared first, and set again for the next of them. */
static inline bool lw_uart_receive(uint8_t *byte)
{
    if (UART_RXDRDY == 0u) {
        return false;
    }
    UART_RXDRDY = 0;
    *byte = (uint8_t)UART_RXD;
    return true;
}

static inline bool lw_uart_idle(void)
{
    if (lw_uart_busy && UART_TXDRDY != 0u) {
        UART_TXDRDY = 0;
        lw_uart_busy = false;
    }
    return !lw_uart_busy;
}

static inline bool lw_uart_send(uint8_t byte)
{
    if (!lw_uart_idle()) {
        return false;
    }
    lw_uart_busy = true;
    UART_TXD = byte;
    return true;
}

static inline void lw_uart_send_interrupt(bool on)
{
    if (on) {
        UART_INTENSET = UART_INT_TXDRDY;
    } else {
        UART_INTENCLR = UART_INT_TXDRDY;
    }
}

#endif /* LW_NRF51_UART_H */
