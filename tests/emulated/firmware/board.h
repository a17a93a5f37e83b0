/* Registers and start-up shared by the small test programs. They run unchanged on a real STM32F405. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define RCC_AHB1ENR REG(0x40023830u)
#define RCC_APB2ENR REG(0x40023844u)
#define GPIOA_MODER REG(0x40020000u)
#define GPIOA_AFRH REG(0x40020024u)
#define USART1_SR REG(0x40011000u)
#define USART1_DR REG(0x40011004u)
#define USART1_BRR REG(0x40011008u)
#define USART1_CR1 REG(0x4001100Cu)
#define NVIC_ISER(n) REG(0xE000E100u + 4u * (n))
#define NVIC_ISPR(n) REG(0xE000E200u + 4u * (n))
#define NVIC_PRIORITY(n) (*(volatile uint8_t *)(0xE000E400u + (n)))
#define SCB_ICSR REG(0xE000ED04u)
#define SCB_AIRCR REG(0xE000ED0Cu)
#define SCB_CPACR REG(0xE000ED88u)
#define SHPR3 REG(0xE000ED20u)
#define SYST_CSR REG(0xE000E010u)
#define SYST_RVR REG(0xE000E014u)
#define SYST_CVR REG(0xE000E018u)
#define DEMCR REG(0xE000EDFCu)
#define DWT_CTRL REG(0xE0001000u)
#define DWT_CYCCNT REG(0xE0001004u)
#define USART1_IRQ 37u

int main(void);
void usart1_handler(void);
void systick_handler(void);
void pendsv_handler(void);
void svc_handler(void);
void irq0_handler(void);
void irq1_handler(void);
void irq2_handler(void);

static inline void enable_fpu(void) {
    SCB_CPACR |= 0xFu << 20;
    __asm volatile("dsb\n isb" ::: "memory");
}
static inline void wait_for_interrupt(void) { __asm volatile("wfi" ::: "memory"); }
static inline void disable_interrupts(void) { __asm volatile("cpsid i" ::: "memory"); }
static inline void enable_interrupts(void) { __asm volatile("cpsie i" ::: "memory"); }

static inline void usart_start(void) {
    RCC_AHB1ENR |= 1u;
    RCC_APB2ENR |= 1u << 4;
    GPIOA_MODER = (GPIOA_MODER & ~(0xFu << 18)) | (0xAu << 18);
    GPIOA_AFRH = (GPIOA_AFRH & ~(0xFFu << 4)) | (0x77u << 4);
    USART1_BRR = 139u; /* 16 MHz / 115200 */
    USART1_CR1 = (1u << 13) | (1u << 3) | (1u << 2);
}
static inline void put(uint8_t byte) {
    while (!(USART1_SR & (1u << 7))) {}
    USART1_DR = byte;
}
static inline void put_text(const char *text) {
    while (*text) put((uint8_t)*text++);
}
static inline void put_hex(uint32_t value) {
    for (int shift = 28; shift >= 0; shift -= 4) put((uint8_t)"0123456789abcdef"[(value >> shift) & 15u]);
}
static inline void counter_start(void) {
    DEMCR |= 1u << 24;
    DWT_CYCCNT = 0u;
    DWT_CTRL |= 1u;
}

#endif
