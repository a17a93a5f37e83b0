/* uart.h: UART 0, one byte at a time; see app/serial.h. */
#ifndef LW_MPS2_UART_H
#define LW_MPS2_UART_H

#include <stdbool.h>

#include "registers.h"

static inline bool lw_uart_receive(uint8_t *byte)
{
    UART0_INTCLEAR = UART_INT_RX;
    if ((UART0_STATE & UART_STATE_RX_FULL) == 0u) {
        return false;
    }
    *byte = (uint8_t)UART0_DATA;
    return true;
}

static inline bool lw_uart_send(uint8_t byte)
{
    if ((UART0_STATE & UART_STATE_TX_FULL) != 0u) {
        return false;
    }
    UART0_INTCLEAR = UART_INT_TX;
    UART0_DATA = byte;
    return true;
}

/* It comes when the buffer of one byte becomes empty. */
static inline void lw_uart_send_interrupt(bool on)
{
    uint32_t enabled = UART_CTRL_TX_ENABLE | UART_CTRL_RX_ENABLE | UART_CTRL_RX_INTERRUPT;
    UART0_CTRL = on ? enabled | UART_CTRL_TX_INTERRUPT : enabled;
    if (!on) {
        UART0_INTCLEAR = UART_INT_TX;
    }
}

/* The last bits may still be on the wire: there is no flag for them. */
static inline bool lw_uart_idle(void)
{
    return (UART0_STATE & UART_STATE_TX_FULL) == 0u;
}

#endif /* LW_MPS2_UART_H */
