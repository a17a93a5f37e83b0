/* port.c: serial port and counter of the MPS2 AN386. README.md says what the counter means. */
#include "port.h"

#include "registers.h"
#include "ring.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

static lw_ring received;

void lw_uart0_rx_handler(void);

void lw_uart0_rx_handler(void)
{
    UART0_INTCLEAR = UART_INT_RX;
    if ((UART0_STATE & UART_STATE_RX_FULL) != 0u) {
        lw_ring_put(&received, (uint8_t)UART0_DATA);
    }
}

void lw_port_init(void)
{
    TIMER0_RELOAD = 0xffffffffu;
    TIMER0_VALUE = 0xffffffffu;
    TIMER0_CTRL = TIMER_CTRL_ENABLE;
    UART0_BAUDDIV = (PCLK_HZ + LW_LINK_BAUD / 2u) / LW_LINK_BAUD;
    UART0_CTRL = UART_CTRL_TX_ENABLE | UART_CTRL_RX_ENABLE | UART_CTRL_RX_INTERRUPT;
    NVIC_ISER0 = 1u << UART0_RX_IRQ;
}

size_t lw_port_read(uint8_t *bytes, size_t capacity)
{
    return lw_ring_take(&received, bytes, capacity);
}

void lw_port_write(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        while ((UART0_STATE & UART_STATE_TX_FULL) != 0u) {
        }
        UART0_DATA = bytes[i];
    }
}

/* With interrupts masked a byte that comes between the look and WFI still wakes the core (DDI 0403E B1.5.19). */
void lw_port_idle(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (received.head == received.tail) {
        __asm volatile("dsb\n\twfi" ::: "memory");
    }
    __asm volatile("cpsie i\n\tisb" ::: "memory");
}

uint32_t lw_port_cycles(void)
{
    return 0xffffffffu - TIMER0_VALUE;
}

uint32_t lw_port_cycles_hz(void)
{
    return PCLK_HZ;
}

const char *lw_port_cycles_name(void)
{
    return "timer0";
}

size_t lw_port_unique_id(uint8_t *bytes, size_t capacity)
{
    (void)bytes;
    (void)capacity;
    return 0;
}
