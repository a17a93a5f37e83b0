/* port.c: clock, serial port, cycle counter, watchdog and unique id of the STM32F1. README.md says what the counters
 * mean. */
#include "port.h"

#include "registers.h"
#include "restart.h"
#include "serial.h"
#include "uart.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif
#ifndef LW_CRYSTAL_HZ
#define LW_CRYSTAL_HZ 0 /* none: use the internal oscillator */
#endif

#define HSI_HZ 8000000u
#define STEP_HZ (LW_CRYSTAL_HZ != 0 ? 8000000u : 4000000u) /* what the PLL multiplies: the crystal, or HSI / 2 */
#define PLL_FACTOR (LW_CLOCK_HZ / STEP_HZ)
#define READY_POLLS 100000u
#define IWDG_POLLS 100000u
#define MARKER_PIN 8u /* PA8 */

#if LW_CRYSTAL_HZ != 0 && LW_CRYSTAL_HZ != 8000000
#error "the crystal is 8 MHz"
#endif
#if LW_CLOCK_HZ % 8000000 != 0 || LW_CLOCK_HZ < 16000000 || LW_CLOCK_HZ > (LW_CRYSTAL_HZ != 0 ? 72000000 : 64000000)
#error "clock_hz is a multiple of 8 MHz from 16 to 72 MHz, without a crystal to 64 MHz"
#endif

LW_INTERRUPTS = {[USART1_IRQ] = {.handler = lw_serial_interrupt}};

static uint32_t core_hz;
static lw_reset_cause reset_cause;
static bool modelled; /* there is a clock controller: not on QEMU */
static bool has_dwt;
static bool guarded; /* the watchdog runs */

static bool wait_for(volatile const uint32_t *status, uint32_t mask, uint32_t value)
{
    for (uint32_t poll = 0; poll < READY_POLLS; poll++) {
        if ((*status & mask) == value) {
            return true;
        }
    }
    return false;
}

/* Every wait ends: a crystal or PLL that never gets ready leaves the internal oscillator in use. */
static uint32_t start_clock(void)
{
    RCC_CR |= RCC_CR_HSION;
    RCC_CFGR = 0;
    if (!wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY) || !wait_for(&RCC_CFGR, RCC_CFGR_SWS, 0)) {
        return HSI_HZ;
    }
    RCC_CR &= ~RCC_CR_PLLON;
    uint32_t source = 0;
    if (LW_CRYSTAL_HZ != 0) {
        RCC_CR |= RCC_CR_HSEON;
        if (!wait_for(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY)) {
            return HSI_HZ;
        }
        source = RCC_CFGR_PLLSRC_HSE;
    }
    if (LW_CLOCK_HZ > 24000000) {
        FLASH_ACR = FLASH_ACR_PRFTBE | (LW_CLOCK_HZ > 48000000 ? 2u : 1u);
    }
    uint32_t set_up = RCC_CFGR_PLLMUL(PLL_FACTOR) | source | (LW_CLOCK_HZ > 36000000 ? RCC_CFGR_PPRE1_DIV2 : 0u);
    RCC_CFGR = set_up;
    RCC_CR |= RCC_CR_PLLON;
    if (!wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) {
        return HSI_HZ;
    }
    RCC_CFGR = set_up | RCC_CFGR_SW_PLL;
    return wait_for(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL) ? (uint32_t)LW_CLOCK_HZ : HSI_HZ;
}

/* PA8 push-pull output, PA9 alternate push-pull, PA10 input with pull-up: it idles high when nothing is connected. */
static void start_pins(void)
{
    RCC_APB2ENR |= RCC_APB2ENR_IOPA | RCC_APB2ENR_USART1;
    (void)RCC_APB2ENR;
    lw_port_marker(false);
    GPIOA_BSRR = 1u << 10;
    GPIOA_CRH = (GPIOA_CRH & ~0xfffu) | 0x8b3u;
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
    modelled = RCC_CR != 0u; /* after reset HSION and HSIRDY are set on silicon */
    core_hz = modelled ? start_clock() : (uint32_t)LW_CLOCK_HZ;
    lw_core_clock(core_hz);
    start_pins();
    has_dwt = lw_core_dwt_start();
    if (!has_dwt) {
        lw_core_ticks_start();
    }
    USART1_BRR = (core_hz + LW_LINK_BAUD / 2u) / LW_LINK_BAUD;
    lw_uart_send_interrupt(false);
    lw_core_enable(USART1_IRQ);
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

size_t lw_port_unique_id(uint8_t *bytes, size_t capacity)
{
    if (!modelled || capacity < 4u * UNIQUE_ID_WORDS) {
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

/* RM0008 section 19.3: starting it starts its oscillator, without which the two registers never take their values. */
bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    if (!modelled) {
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
