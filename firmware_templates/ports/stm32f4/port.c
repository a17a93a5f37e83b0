/* port.c: serial port, cycle counter and unique id of the STM32F405. README.md says what the counters mean. */
#include "port.h"

#include <stdbool.h>

#include "clock.h"
#include "registers.h"
#include "ring.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define QEMU_TIM2_HZ 1000000000u /* without a clock controller TIM2 counts nanoseconds of virtual time */
#define TC_POLLS 100000u

static lw_ring received;
static lw_clocks clocks;
static bool has_dwt;

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
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    (void)RCC_APB2ENR;
    GPIOA_AFRH = (GPIOA_AFRH & ~0x00000ff0u) | 0x00000770u;
    GPIOA_PUPDR = (GPIOA_PUPDR & ~(3u << 20)) | (1u << 20); /* RX idles high when nothing is connected */
    GPIOA_MODER = (GPIOA_MODER & ~(15u << 18)) | (10u << 18);
    USART1_BRR = (clocks.usart1_hz + LW_LINK_BAUD / 2u) / LW_LINK_BAUD;
    USART1_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    NVIC_ISER1 = 1u << (USART1_IRQ - 32u);
}

void lw_port_init(void)
{
    clocks = lw_clock_init();
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
