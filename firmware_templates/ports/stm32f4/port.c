/* port.c: serial port, cycle counter and unique id of the STM32F405. README.md says what the counters mean. */
#include "port.h"

#include <stdbool.h>

#include "clock.h"
#include "registers.h"
#include "restart.h"
#include "ring.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define QEMU_TIM2_HZ 1000000000u /* without a clock controller TIM2 counts nanoseconds of virtual time */
#define IDLE_HZ 11u /* 168 MHz / 11 fits the 24 bits of the system timer */
#define TC_POLLS 100000u
#define IWDG_POLLS 100000u
#define MARKER_PIN 8u /* PA8 */

static lw_ring received;
static lw_clocks clocks;
static lw_reset_cause reset_cause;
static bool has_dwt;
static bool guarded; /* the watchdog runs */

void lw_usart1_handler(void);

/* Reading SR then DR clears RXNE and an overrun alike (RM0090 section 30.6.1). A byte that came meanwhile needs no
 * interrupt of its own: on an emulator, which delivers many at once, that is most of the cost of a byte. */
void lw_usart1_handler(void)
{
    uint32_t status = USART1_SR;
    do {
        uint8_t byte = (uint8_t)USART1_DR;
        if ((status & USART_SR_RXNE) != 0u) {
            lw_ring_put(&received, byte);
        }
        status = USART1_SR;
    } while ((status & USART_SR_RXNE) != 0u);
}

static void start_counters(void)
{
    DEMCR |= DEMCR_TRCENA;
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    uint32_t before = DWT_CYCCNT;
    __asm volatile("nop\n\tnop\n\tnop\n\tnop");
    has_dwt = DWT_CYCCNT != before;
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
    USART1_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    NVIC_ISER1 = 1u << (USART1_IRQ - 32u);
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
    start_marker();
    start_counters();
    start_usart();
}

size_t lw_port_read(uint8_t *bytes, size_t capacity)
{
    return lw_ring_take(&received, bytes, capacity);
}

void lw_port_write(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        while ((USART1_SR & USART_SR_TXE) == 0u) {
        }
        USART1_DR = bytes[i];
    }
    for (uint32_t poll = 0; poll < TC_POLLS && (USART1_SR & USART_SR_TC) == 0u; poll++) {
    }
}

/* With interrupts masked a byte that comes between the look and WFI still wakes the core (DDI 0403E B1.5.19), and so does
 * the system timer, whose interrupt is then taken back. It only runs here: nothing interrupts an inference. */
void lw_port_idle(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (received.head == received.tail) {
        if (guarded) {
            SYSTICK_RELOAD = clocks.core_hz / IDLE_HZ - 1u;
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
    return has_dwt ? DWT_CYCCNT : TIM2_CNT;
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
