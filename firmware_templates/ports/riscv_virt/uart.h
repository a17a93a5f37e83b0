/* uart.h: UART 0, one byte at a time; see app/serial.h. */
#ifndef LW_RISCV_VIRT_UART_H
#define LW_RISCV_VIRT_UART_H

#include <stdbool.h>

#include "registers.h"

static inline bool lw_uart_receive(uint8_t *byte)
{
    if ((UART_LSR & UART_LSR_RX_READY) == 0u) {
        return false;
    }
    *byte = UART_DATA;
    return true;
}

static inline bool lw_uart_send(uint8_t byte)
{
    if ((UART_LSR & UART_LSR_TX_EMPTY) == 0u) {
        return false;
    }
    UART_DATA = byte;
    return true;
}

static inline void lw_uart_send_interrupt(bool on)
{
    UART_IER = on ? UART_IER_RX | UART_IER_TX : UART_IER_RX;
}

static inline bool lw_uart_idle(void)
{
    return (UART_LSR & UART_LSR_IDLE) != 0u;
}

#endif /* LW_RISCV_VIRT_UART_H */
