/* port.c: clock, serial port, counter and watchdog of the LM3S6965. README.md says what the counters mean. */
#include "port.h"

#include "registers.h"
#include "restart.h"
#include "serial.h"
#include "uart.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define CRYSTAL_HZ 8000000u
#define CORE_HZ 50000000u /* the PLL's 200 MHz / 4 */
#define DIVISOR 4u
#define READY_POLLS 100000u
#define START_TURNS 50000u /* some 20 ms at 12 MHz: there is no flag for the crystal */

LW_INTERRUPTS = {
    [UART0_IRQ] = {.handler = lw_serial_interrupt},
    [WATCHDOG_IRQ] = {.handler = lw_nmi_handler},
};

static uint32_t core_hz;
static lw_reset_cause reset_cause;
static bool has_dwt;
static bool guarded; /* the watchdog runs */

/* Data sheet section 5.3: bypass the PLL, let the crystal start, set both up, wait for the lock, and use it. */
static uint32_t start_clock(void)
{
    uint32_t rcc = (SYSCTL_RCC | RCC_BYPASS) & ~RCC_USESYSDIV;
    SYSCTL_RCC = rcc;
    rcc &= ~RCC_MOSCDIS;
    SYSCTL_RCC = rcc;
    for (volatile uint32_t turn = 0; turn < START_TURNS; turn++) {
    }
    SYSCTL_MISC = PLL_LOCKED;
    rcc = (rcc & ~(RCC_XTAL | RCC_OSCSRC | RCC_PWRDN)) | RCC_XTAL_8MHZ;
    SYSCTL_RCC = rcc;
    rcc = (rcc & ~RCC_SYSDIV(16u)) | RCC_SYSDIV(DIVISOR) | RCC_USESYSDIV;
    SYSCTL_RCC = rcc;
    for (uint32_t poll = 0; poll < READY_POLLS; poll++) {
        if ((SYSCTL_RIS & PLL_LOCKED) != 0u) {
            SYSCTL_RCC = rcc & ~RCC_BYPASS;
            return CORE_HZ;
        }
    }
    SYSCTL_RCC = rcc & ~RCC_USESYSDIV;
    return CRYSTAL_HZ;
}

/* The chip tells no fault apart, so its note comes first. */
static lw_reset_cause find_reset_cause(void)
{
    lw_reset_cause noted = lw_restart_cause();
    uint32_t flags = SYSCTL_RESC;
    SYSCTL_RESC = 0;
    if (noted != LW_RESET_UNKNOWN) {
        return noted;
    }
    if ((flags & RESC_WATCHDOG) != 0u) {
        return LW_RESET_WATCHDOG;
    }
    if ((flags & RESC_SOFTWARE) != 0u) {
        return LW_RESET_SOFTWARE;
    }
    return (flags & (RESC_PIN | RESC_POWER)) == RESC_PIN ? LW_RESET_PIN : LW_RESET_UNKNOWN;
}

static void start_uart(void)
{
    SYSCTL_RCGC1 |= RCGC1_UART0;
    GPIOA_AFSEL |= 3u;
    GPIOA_DEN |= 3u;
    uint32_t divisor = (core_hz * 4u + LW_LINK_BAUD / 2u) / LW_LINK_BAUD; /* in 64ths of core clock / 16 */
    UART0_CTL = 0;
    UART0_IBRD = divisor / 64u;
    UART0_FBRD = divisor % 64u;
    UART0_LCRH = UART_LCRH_8BITS | UART_LCRH_FIFO;
    UART0_CTL = UART_CTL_ENABLE;
    lw_uart_send_interrupt(false);
    lw_core_enable(UART0_IRQ);
}

void lw_port_init(void)
{
    reset_cause = find_reset_cause();
    core_hz = start_clock();
    lw_core_clock(core_hz);
    SYSCTL_RCGC2 |= RCGC2_GPIOA | RCGC2_GPIOD;
    (void)SYSCTL_RCGC2; /* the clock takes three cycles to arrive */
    lw_port_marker(false);
    GPIOD_DIR |= 1u;
    GPIOD_DEN |= 1u;
    has_dwt = lw_core_dwt_start();
    if (!has_dwt) {
        lw_core_ticks_start();
    }
    start_uart();
}

uint32_t lw_port_cycles(void)
{
    return has_dwt ? lw_core_dwt() : lw_core_ticks();
}

uint32_t lw_port_cycles_hz(void)
{
    return core_hz;
}

const char *lw_port_cycles_name(void)
{
    return has_dwt ? "dwt" : "systick";
}

/* The chip has none. */
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
    lw_core_restart(guarded ? LW_RESET_WATCHDOG : LW_RESET_FAULT);
}

bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    uint64_t ticks = (uint64_t)timeout_ms * (core_hz / 1000u) + 1u;
    SYSCTL_RCGC0 |= RCGC0_WATCHDOG;
    (void)SYSCTL_RCGC0;
    WATCHDOG_LOAD = ticks < 0xffffffffu ? (uint32_t)ticks : 0xffffffffu;
    guarded = true;
    lw_core_guard();
    lw_core_enable(WATCHDOG_IRQ);
    WATCHDOG_CTL = WATCHDOG_CTL_INTEN | WATCHDOG_CTL_RESEN;
    return true;
}

void lw_port_watchdog_feed(void)
{
    if (guarded) {
        WATCHDOG_ICR = 1; /* begins again from LOAD */
    }
}

void lw_port_marker(bool on)
{
    GPIOD_PIN0 = on ? 1u : 0u;
}
