/* port.c: serial port, cycle counter and unique id of the STM32F405. README.md says what the counters mean. */
#include "port.h"

#include <stdbool.h>

#include "clock.h"
#include "registers.h"
#include "restart.h"
#include "serial.h"
#include "uart.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define QEMU_TIM2_HZ 1000000000u /* without a clock controller TIM2 counts nanoseconds of virtual time */
#define IWDG_POLLS 100000u
#define MARKER_PIN 8u /* PA8 */

LW_INTERRUPTS = {[USART1_IRQ] = {.handler = lw_serial_interrupt}};

static lw_clocks clocks;
static lw_reset_cause reset_cause;
static bool has_dwt;
static bool guarded; /* the watchdog runs */

static void start_counters(void)
{
    has_dwt = lw_core_dwt_start();
    if (!has_dwt) {
        RCC_APB1ENR |= RCC_APB1ENR_TIM2;
        (void)RCC_APB1ENR; /* the clock takes two cycles to arrive (RM0090 section 7.2.11) */
        TIM2_PSC = 0;
        TIM2_ARR = 0xffffffffu;
        TIM2_EGR = 1; /* take over the prescaler */
        TIM2_CR1 = 1;
    }
}

static void start_usart(void)
{
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    (void)RCC_APB2ENR;
    GPIOA_AFRH = (GPIOA_AFRH & ~0x00000ff0u) | 0x00000770u;
    GPIOA_PUPDR = (GPIOA_PUPDR & ~(3u << 20)) | (1u << 20); /* RX idles high when nothing is connected */
    GPIOA_MODER = (GPIOA_MODER & ~(15u << 18)) | (10u << 18);
    USART1_BRR = (clocks.usart1_hz + LW_LINK_BAUD / 2u) / LW_LINK_BAUD;
    lw_uart_send_interrupt(false);
    lw_core_enable(USART1_IRQ);
}

static void start_marker(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    (void)RCC_AHB1ENR;
    lw_port_marker(false);
    GPIOA_MODER = (GPIOA_MODER & ~(3u << (2u * MARKER_PIN))) | (1u << (2u * MARKER_PIN));
}

/* The chip's flags say more than the note, but not that a fault handler restarted it. */
static lw_reset_cause find_reset_cause(void)
{
    lw_reset_cause noted = lw_restart_cause();
    uint32_t flags = RCC_CSR;
    RCC_CSR |= RCC_CSR_RMVF;
    if ((flags & RCC_CSR_WATCHDOGS) != 0u) {
        return LW_RESET_WATCHDOG;
    }
    if ((flags & RCC_CSR_SFTRSTF) != 0u) {
        return noted == LW_RESET_FAULT ? LW_RESET_FAULT : LW_RESET_SOFTWARE;
    }
    if ((flags & RCC_CSR_PORRSTF) != 0u) {
        return LW_RESET_UNKNOWN;
    }
    return (flags & RCC_CSR_PINRSTF) != 0u ? LW_RESET_PIN : noted; /* no flag at all: an emulator without them */
}

void lw_port_init(void)
{
    reset_cause = find_reset_cause();
    clocks = lw_clock_init();
    lw_core_clock(clocks.core_hz);
    start_marker();
    start_counters();
    start_usart();
}

uint32_t lw_port_cycles(void)
{
    return has_dwt ? lw_core_dwt() : TIM2_CNT;
}

uint32_t lw_port_cycles_hz(void)
{
    if (has_dwt) {
        return clocks.core_hz;
    }
    return clocks.modelled ? clocks.tim2_hz : QEMU_TIM2_HZ;
}

const char *lw_port_cycles_name(void)
{
    return has_dwt ? "dwt" : "tim2";
}

size_t lw_port_unique_id(uint8_t *bytes, size_t capacity)
{
    if (!clocks.modelled || capacity < 4u * UNIQUE_ID_WORDS) {
        return 0; /* an emulator without a clock controller has no system memory either: reading it would fault */
    }
    for (uint32_t i = 0; i < 4u * UNIQUE_ID_WORDS; i++) {
        bytes[i] = (uint8_t)(LW_REGISTER(UNIQUE_ID_ADDRESS + (i & ~3u)) >> (8u * (i & 3u)));
    }
    return 4u * UNIQUE_ID_WORDS;
}

lw_reset_cause lw_port_reset_cause(void)
{
    return reset_cause;
}

/* RM0090 section 21.3: starting it starts its oscillator, without which the two registers never take their values. */
bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    if (!clocks.modelled) {
        return false; /* QEMU has no watchdog here */
    }
    uint64_t ticks = ((uint64_t)timeout_ms * LSI_MOST_HZ) / (256u * 1000u) + 1u;
    IWDG_KR = IWDG_KR_START;
    IWDG_KR = IWDG_KR_UNLOCK;
    IWDG_PR = IWDG_PR_256;
    IWDG_RLR = (uint32_t)(ticks < IWDG_MOST_TICKS ? ticks : IWDG_MOST_TICKS) - 1u;
    for (uint32_t poll = 0; poll < IWDG_POLLS && IWDG_SR != 0u; poll++) {
    }
    guarded = true;
    lw_core_guard();
    lw_port_watchdog_feed();
    return true;
}

void lw_port_watchdog_feed(void)
{
    if (guarded) {
        IWDG_KR = IWDG_KR_FEED;
    }
}

void lw_port_marker(bool on)
{
    GPIOA_BSRR = on ? 1u << MARKER_PIN : 1u << (MARKER_PIN + 16u);
}
