/* port.c: serial port, counter and watchdog of the MPS2 and MPS3 FPGA images. README.md says what the counter means. */
#include "port.h"

#include "registers.h"
#include "restart.h"
#include "serial.h"
#include "uart.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define MARKER_PIN 0u /* GPIO0[0] */

LW_INTERRUPTS = {[UART0_RX_IRQ] = {.handler = lw_serial_interrupt}, [UART0_TX_IRQ] = {.handler = lw_serial_interrupt}};

static lw_reset_cause reset_cause;
static bool has_dwt;
static bool guarded; /* the watchdog runs */

static void start_counter(void)
{
    has_dwt = lw_core_dwt_start();
#ifdef TIMER0
    TIMER0_RELOAD = 0xffffffffu;
    TIMER0_VALUE = 0xffffffffu;
    TIMER0_CTRL = TIMER_CTRL_ENABLE;
#else
    COUNTER_CONTROL = COUNTER_CONTROL_ENABLE;
#endif
}

void lw_port_init(void)
{
    reset_cause = lw_restart_cause();
    lw_core_clock(LW_CLOCK_HZ);
    lw_port_marker(false);
    GPIO0_OUTENSET = 1u << MARKER_PIN;
    start_counter();
    UART0_BAUDDIV = (UART0_HZ + LW_LINK_BAUD / 2u) / LW_LINK_BAUD;
    lw_uart_send_interrupt(false);
    lw_core_enable(UART0_RX_IRQ);
    lw_core_enable(UART0_TX_IRQ);
}

uint32_t lw_port_cycles(void)
{
    if (has_dwt) {
        return lw_core_dwt();
    }
#ifdef TIMER0
    return 0xffffffffu - TIMER0_VALUE;
#else
    return COUNTER_VALUE;
#endif
}

uint32_t lw_port_cycles_hz(void)
{
    return LW_CLOCK_HZ;
}

const char *lw_port_cycles_name(void)
{
    if (has_dwt) {
        return "dwt";
    }
#ifdef TIMER0
    return "timer0";
#else
    return "cntcv";
#endif
}

/* The boards have none. */
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

/* The watchdog interrupts when its time is over; left alone, it would restart the chip after the same time again. */
void lw_nmi_handler(void)
{
    lw_core_restart(LW_RESET_WATCHDOG);
}

bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    uint64_t ticks = (uint64_t)timeout_ms * WATCHDOG_HZ / 1000u + 1u;
    WATCHDOG_LOAD = ticks < 0xffffffffu ? (uint32_t)ticks : 0xffffffffu;
    WATCHDOG_CONTROL = WATCHDOG_CONTROL_INTEN | WATCHDOG_CONTROL_RESEN;
    guarded = true;
    lw_core_guard();
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
