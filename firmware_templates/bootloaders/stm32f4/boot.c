/* boot.c: serial port, time and start of the program on the STM32F405: USART1 on PA9 (TX) and PA10 (RX), 8N1. */
#include "boot.h"

#include "clock.h"
#include "flash.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define SYSTICK_COUNTED (1u << 16)

extern uint32_t lw_bss_end[];

void lw_boot_init(void)
{
    lw_clocks clocks = lw_clock_init();
    SYSTICK_RELOAD = clocks.core_hz / 1000u - 1u; /* a millisecond */
    SYSTICK_CURRENT = 0;
    SYSTICK_CONTROL = SYSTICK_ENABLE | SYSTICK_CORE_CLOCK;
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    (void)RCC_APB2ENR;
    GPIOA_AFRH = (GPIOA_AFRH & ~0x00000ff0u) | 0x00000770u;
    GPIOA_PUPDR = (GPIOA_PUPDR & ~(3u << 20)) | (1u << 20); /* RX idles high when nothing is connected */
    GPIOA_MODER = (GPIOA_MODER & ~(15u << 18)) | (10u << 18);
    USART1_BRR = (clocks.usart1_hz + LW_LINK_BAUD / 2u) / LW_LINK_BAUD;
    USART1_CR1 = USART_CR1_UE | (1u << 3) | USART_CR1_RE;
}

bool lw_boot_read(uint8_t *byte, uint32_t timeout_ms)
{
    uint32_t passed = 0;
    for (;;) {
        uint32_t status = USART1_SR;
        if ((status & USART_SR_RXNE) != 0u) {
            *byte = (uint8_t)USART1_DR;
            return true;
        }
        if ((status & 0xfu) != 0u) {
            (void)USART1_DR; /* noise or an overrun: SR then DR clears it (RM0090 section 30.6.1) */
        }
        if (timeout_ms != 0u && (SYSTICK_CONTROL & SYSTICK_COUNTED) != 0u) {
            passed++;
            if (passed >= timeout_ms) {
                return false;
            }
        }
    }
}

void lw_boot_write(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        while ((USART1_SR & USART_SR_TXE) == 0u) {
        }
        USART1_DR = bytes[i];
    }
    while ((USART1_SR & USART_SR_TC) == 0u) {
    }
}

lw_span lw_boot_flash(void)
{
    return (lw_span){.address = FLASH_ORIGIN, .length = FLASH_BYTES};
}

lw_span lw_boot_system(void)
{
    return (lw_span){.address = SYSTEM_ORIGIN, .length = SYSTEM_BYTES};
}

lw_span lw_boot_free_ram(void)
{
    uint32_t first = ((uint32_t)(uintptr_t)lw_bss_end + 255u) & ~255u;
    return (lw_span){.address = first, .length = SRAM_END - first};
}

const volatile uint8_t *lw_boot_unique_id(void)
{
    return (const volatile uint8_t *)(uintptr_t)UNIQUE_ID_ADDRESS;
}

void lw_boot_start(uint32_t vectors)
{
    uint32_t stack = LW_REGISTER(vectors);
    uint32_t entry = LW_REGISTER(vectors + 4u);
    USART1_CR1 = 0;
    SYSTICK_CONTROL = 0;
    SCB_VTOR = vectors;
    __asm volatile("dsb\n\tisb\n\tmsr msp, %0\n\tbx %1" ::"r"(stack), "r"(entry) : "memory");
    for (;;) {
        __asm volatile("");
    }
}

void lw_boot_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = SCB_AIRCR_RESET;
    for (;;) {
        __asm volatile("");
    }
}
