/* registers.h: the registers this port touches. ST RM0090 rev 19. */
#ifndef LW_STM32F4_REGISTERS_H
#define LW_STM32F4_REGISTERS_H

#include "core.h"

/* Reset and clock control, RM0090 section 7.3 */
#define RCC_CR LW_REGISTER(0x40023800u)
#define RCC_PLLCFGR LW_REGISTER(0x40023804u)
#define RCC_CFGR LW_REGISTER(0x40023808u)
#define RCC_AHB1ENR LW_REGISTER(0x40023830u)
#define RCC_APB1ENR LW_REGISTER(0x40023840u)
#define RCC_APB2ENR LW_REGISTER(0x40023844u)
#define RCC_CSR LW_REGISTER(0x40023874u)
#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSIRDY (1u << 1)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_PLLCFGR_HSE (1u << 22)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_AHB1ENR_GPIOA (1u << 0)
#define RCC_APB1ENR_TIM2 (1u << 0)
#define RCC_APB1ENR_PWR (1u << 28)
#define RCC_APB2ENR_USART1 (1u << 4)

#define RCC_CSR_RMVF (1u << 24)
#define RCC_CSR_PINRSTF (1u << 26)
#define RCC_CSR_PORRSTF (1u << 27)
#define RCC_CSR_SFTRSTF (1u << 28)
#define RCC_CSR_WATCHDOGS (3u << 29) /* IWDGRSTF, WWDGRSTF */

/* Power and flash, RM0090 sections 5.4.1 and 3.9.1 */
#define PWR_CR LW_REGISTER(0x40007000u)
#define PWR_CR_VOS (1u << 14)
#define FLASH_ACR LW_REGISTER(0x40023c00u)
#define FLASH_ACR_PREFETCH (1u << 8)
#define FLASH_ACR_ICACHE (1u << 9)
#define FLASH_ACR_DCACHE (1u << 10)

/* Port A, RM0090 section 8.4: PA9 is TX and PA10 is RX of USART1 as alternate function 7 (DS8626 table 9) */
#define GPIOA_MODER LW_REGISTER(0x40020000u)
#define GPIOA_PUPDR LW_REGISTER(0x4002000cu)
#define GPIOA_BSRR LW_REGISTER(0x40020018u)
#define GPIOA_AFRH LW_REGISTER(0x40020024u)

/* USART1, RM0090 section 30.6 */
#define USART1_SR LW_REGISTER(0x40011000u)
#define USART1_DR LW_REGISTER(0x40011004u)
#define USART1_BRR LW_REGISTER(0x40011008u)
#define USART1_CR1 LW_REGISTER(0x4001100cu)
#define USART_SR_ORE (1u << 3)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TC (1u << 6)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_TXEIE (1u << 7)
#define USART_CR1_UE (1u << 13)

/* Independent watchdog, RM0090 section 21.4 */
#define IWDG_KR LW_REGISTER(0x40003000u)
#define IWDG_PR LW_REGISTER(0x40003004u)
#define IWDG_RLR LW_REGISTER(0x40003008u)
#define IWDG_SR LW_REGISTER(0x4000300cu)
#define IWDG_KR_START 0xccccu
#define IWDG_KR_UNLOCK 0x5555u
#define IWDG_KR_FEED 0xaaaau
#define IWDG_PR_256 6u
#define IWDG_MOST_TICKS 4096u
#define LSI_MOST_HZ 47000u /* DS8626 table 35: 17 to 47 kHz */

/* TIM2, a 32-bit timer, RM0090 section 18.4 */
#define TIM2_CR1 LW_REGISTER(0x40000000u)
#define TIM2_EGR LW_REGISTER(0x40000014u)
#define TIM2_CNT LW_REGISTER(0x40000024u)
#define TIM2_PSC LW_REGISTER(0x40000028u)
#define TIM2_ARR LW_REGISTER(0x4000002cu)

#define USART1_IRQ 37u /* position in the vector table, RM0090 table 62 */
#define IRQ_COUNT 82u

#define UNIQUE_ID_ADDRESS 0x1fff7a10u /* 96 bits, RM0090 section 39.1 */
#define UNIQUE_ID_WORDS 3u

#endif /* LW_STM32F4_REGISTERS_H */
