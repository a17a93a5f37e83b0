/* port.c: clock, serial port, counter, watchdog and unique id of the nRF51. README.md says what the counter means. */
#include "port.h"

#include "registers.h"
#include "restart.h"
#include "serial.h"
#include "uart.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define CORE_HZ 16000000u
#define BAUD_REGISTER ((uint32_t)(((uint64_t)LW_LINK_BAUD << 32) / CORE_HZ + 0x800u) & 0xfffff000u)
#define TX_PIN 24u /* of the micro:bit, as RX_PIN and MARKER_PIN */
#define RX_PIN 25u
#define MARKER_PIN 3u
#define READY_POLLS 100000u

LW_INTERRUPTS = {[UART_IRQ] = {.handler = lw_serial_interrupt}};

bool lw_uart_busy;
static lw_reset_cause reset_cause;
static bool guarded; /* the watchdog runs */

/* The crystal; without one the internal oscillator stays in use, too inexact for a fast serial port. */
static void start_clock(void)
{
    CLOCK_HFCLKSTARTED = 0;
    CLOCK_HFCLKSTART = 1;
    for (uint32_t poll = 0; poll < READY_POLLS && CLOCK_HFCLKSTARTED == 0u; poll++) {
    }
}

/* The chip tells no fault apart, so its note comes first. On QEMU, whose clock does not say that it runs, all of these
 * registers read 1. */
static lw_reset_cause find_reset_cause(void)
{
    lw_reset_cause noted = lw_restart_cause();
    uint32_t flags = POWER_RESETREAS;
    POWER_RESETREAS = flags; /* cleared by writing them */
    if (noted != LW_RESET_UNKNOWN || (CLOCK_HFCLKSTAT & CLOCK_HFCLKSTAT_RUNNING) == 0u) {
        return noted;
    }
    if ((flags & POWER_RESETREAS_DOG) != 0u) {
        return LW_RESET_WATCHDOG;
    }
    if ((flags & POWER_RESETREAS_LOCKUP) != 0u) {
        return LW_RESET_FAULT;
    }
    if ((flags & POWER_RESETREAS_SREQ) != 0u) {
        return LW_RESET_SOFTWARE;
    }
    return (flags & POWER_RESETREAS_PIN) != 0u ? LW_RESET_PIN : LW_RESET_UNKNOWN;
}

void lw_port_init(void)
{
    start_clock();
    reset_cause = find_reset_cause();
    lw_core_clock(CORE_HZ);
    lw_port_marker(false);
    GPIO_DIRSET = 1u << MARKER_PIN;
    TIMER0_BITMODE = TIMER_BITMODE_32;
    TIMER0_PRESCALER = 0;
    TIMER0_START = 1;
    GPIO_OUTSET = 1u << TX_PIN;
    GPIO_DIRSET = 1u << TX_PIN;
    GPIO_PIN_CNF(RX_PIN) = GPIO_PIN_CNF_INPUT_PULLUP; /* idles high when nothing is connected */
    UART_PSELTXD = TX_PIN;
    UART_PSELRXD = RX_PIN;
    UART_BAUDRATE = BAUD_REGISTER;
    UART_ENABLE = UART_ENABLED;
    UART_INTENSET = UART_INT_RXDRDY;
    UART_STARTTX = 1;
    UART_STARTRX = 1;
    lw_core_enable(UART_IRQ);
}

uint32_t lw_port_cycles(void)
{
    TIMER0_CAPTURE0 = 1;
    return TIMER0_CC0;
}

uint32_t lw_port_cycles_hz(void)
{
    return CORE_HZ;
}

const char *lw_port_cycles_name(void)
{
    return "timer0";
}

size_t lw_port_unique_id(uint8_t *bytes, size_t capacity)
{
    size_t length = capacity < 8u ? capacity : 8u;
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(LW_REGISTER(FICR_DEVICEID + (i & ~3u)) >> (8u * (i & 3u)));
    }
    return length;
}

lw_reset_cause lw_port_reset_cause(void)
{
    return reset_cause;
}

bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    uint64_t ticks = (uint64_t)timeout_ms * LFCLK_MOST_HZ / 1000u + 15u; /* 15 at least */
    WDT_CONFIG = WDT_CONFIG_ASLEEP;
    WDT_CRV = ticks < 0xffffffffu ? (uint32_t)ticks : 0xffffffffu;
    WDT_START = 1;
    guarded = (WDT_RUNSTATUS & 1u) != 0u; /* QEMU has none */
    if (guarded) {
        lw_core_guard();
    }
    return guarded;
}

void lw_port_watchdog_feed(void)
{
    if (guarded) {
        WDT_RR0 = WDT_RR_RELOAD;
    }
}

void lw_port_marker(bool on)
{
    if (on) {
        GPIO_OUTSET = 1u << MARKER_PIN;
    } else {
        GPIO_OUTCLR = 1u << MARKER_PIN;
    }
}
