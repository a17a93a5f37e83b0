/* uart.h: USART1, one byte at a time; see app/serial.h. */
#ifndef LW_STM32F1_UART_H
#define LW_STM32F1_UART_H

#include <stdbool.h>

#include "registers.h"

/* Reading SR then DR clears RXNE and an overrun alike (RM0008 section 27.6.1). */
static inline bool lw_uart_receive(uint8_t *byte)
{
    uint32_t status = USART1_SR;
    if ((status & (USART_SR_RXNE | USART_SR_ORE)) == 0u) {
        return false;
    }
    *byte = (uint8_t)USART1_DR;
    return (status & USART_SR_RXNE) != 0u;
}

static inline bool lw_uart_send(uint8_t byte)
{
    if ((USART1_SR & USART_SR_TXE) == 0u) {
        return false;
    }
    USART1_DR = byte;
    return true;
}

static inline void lw_uart_send_interrupt(bool on)
{
    USART1_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE | (on ? USART_CR1_TXEIE : 0u);
}

static inline bool lw_uart_idle(void)
{
    return (USART1_SR & USART_SR_TC) != 0u;
}

#endif /* LW_STM32F1_UART_H */
