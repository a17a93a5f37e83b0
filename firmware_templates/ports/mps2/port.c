/* port.c: serial port and counter of the MPS2 AN386. README.md says what the counter means. */
#include "port.h"

#include "registers.h"
#include "restart.h"
#include "ring.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define IDLE_HZ 10u
#define MARKER_PIN 0u /* GPIO0[0], EXP[0] */

static lw_ring received;
static lw_reset_cause reset_cause;
static bool guarded; /* the watchdog runs */

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
    reset_cause = lw_restart_cause();
    lw_port_marker(false);
    GPIO0_OUTENSET = 1u << MARKER_PIN;
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

/* With interrupts masked a byte that comes between the look and WFI still wakes the core (DDI 0403E B1.5.19), and so does
 * the system timer, whose interrupt is then taken back. It only runs here: nothing interrupts an inference. */
void lw_port_idle(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (received.head == received.tail) {
        if (guarded) {
            SYSTICK_RELOAD = PCLK_HZ / IDLE_HZ - 1u;
            SYSTICK_CURRENT = 0;
            SYSTICK_CONTROL = SYSTICK_CORE_CLOCK | SYSTICK_INTERRUPT | SYSTICK_ENABLE;
        }
        __asm volatile("dsb\n\twfi" ::: "memory");
        SYSTICK_CONTROL = 0;
        SCB_ICSR = SCB_ICSR_PENDSTCLR;
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

lw_reset_cause lw_port_reset_cause(void)
{
    return reset_cause;
}

bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    uint64_t ticks = (uint64_t)timeout_ms * (PCLK_HZ / 1000u) + 1u;
    WATCHDOG_LOAD = ticks < 0xffffffffu ? (uint32_t)ticks : 0xffffffffu;
    WATCHDOG_CONTROL = WATCHDOG_CONTROL_INTEN | WATCHDOG_CONTROL_RESEN;
    guarded = true;
    return true;
}

void lw_port_watchdog_feed(void)
{
    if (guarded) {
        WATCHDOG_INTCLR = 1; /* begins again from LOAD */
    }
}

void lw_port_marker(bool on)
{
    GPIO0_DATAOUT = on ? 1u << MARKER_PIN : 0u;
}
