/* uart.h: UART 0 with its queues of 16 bytes, one byte at a time; see app/serial.h. */
#ifndef LW_LM3S6965_UART_H
#define LW_LM3S6965_UART_H

#include <stdbool.h>

#include "registers.h"

static inline bool lw_uart_receive(uint8_t *byte)
{
    if ((UART0_FR & UART_FR_RXFE) != 0u) {
        UART0_ICR = UART_INT_RX | UART_INT_RX_TIMEOUT;
        return false;
    }
    *byte = (uint8_t)UART0_DR;
    return true;
}

static inline bool lw_uart_send(uint8_t byte)
{
    if ((UART0_FR & UART_FR_TXFF) != 0u) {
        return false;
    }
    UART0_DR = byte;
    return true;
}

/* It comes when the queue has run down to half: there is more to send only while that is to come. */
static inline void lw_uart_send_interrupt(bool on)
{
    uint32_t enabled = UART_INT_RX | UART_INT_RX_TIMEOUT;
    UART0_ICR = UART_INT_TX;
    UART0_IM = on ? enabled | UART_INT_TX : enabled;
}

static inline bool lw_uart_idle(void)
{
    return (UART0_FR & UART_FR_BUSY) == 0u;
}

#endif /* LW_LM3S6965_UART_H */
