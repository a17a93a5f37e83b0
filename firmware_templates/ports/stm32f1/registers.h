/* registers.h: the registers this port touches. ST RM0041 rev 6 (STM32F100), RM0008 rev 21 (STM32F101 to F107). */
#ifndef LW_STM32F1_REGISTERS_H
#define LW_STM32F1_REGISTERS_H

#include "core.h"

/* Reset and clock control, RM0008 section 7.3 */
#define RCC_CR LW_REGISTER(0x40021000u)
#define RCC_CFGR LW_REGISTER(0x40021004u)
#define RCC_APB2ENR LW_REGISTER(0x40021018u)
#define RCC_CSR LW_REGISTER(0x40021024u)
#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSIRDY (1u << 1)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR_SW_PLL (2u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_PPRE1_DIV2 (4u << 8)
#define RCC_CFGR_PLLSRC_HSE (1u << 16)
#define RCC_CFGR_PLLMUL(factor) (((factor) - 2u) << 18)
#define RCC_APB2ENR_IOPA (1u << 2)
#define RCC_APB2ENR_USART1 (1u << 14)
#define RCC_CSR_RMVF (1u << 24)
#define RCC_CSR_PINRSTF (1u << 26)
#define RCC_CSR_PORRSTF (1u << 27)
#define RCC_CSR_SFTRSTF (1u << 28)
#define RCC_CSR_WATCHDOGS (3u << 29) /* IWDGRSTF, WWDGRSTF */

#define FLASH_ACR LW_REGISTER(0x40022000u) /* RM0008 section 3.3.3; no wait states to 24 MHz, all that the STM32F100 does */
#define FLASH_ACR_PRFTBE (1u << 4)

/* Port A, RM0008 section 9.2: PA9 is TX and PA10 is RX of USART1 */
#define GPIOA_CRH LW_REGISTER(0x40010804u)
#define GPIOA_BSRR LW_REGISTER(0x40010810u)

/* USART1, RM0008 section 27.6 */
#define USART1_SR LW_REGISTER(0x40013800u)
#define USART1_DR LW_REGISTER(0x40013804u)
#define USART1_BRR LW_REGISTER(0x40013808u)
#define USART1_CR1 LW_REGISTER(0x4001380cu)
#define USART_SR_ORE (1u << 3)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TC (1u << 6)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_TXEIE (1u << 7)
#define USART_CR1_UE (1u << 13)

/* Independent watchdog, RM0008 section 19.4 */
#define IWDG_KR LW_REGISTER(0x40003000u)
#define IWDG_PR LW_REGISTER(0x40003004u)
#define IWDG_RLR LW_REGISTER(0x40003008u)
#define IWDG_SR LW_REGISTER(0x4000300cu)
#define IWDG_KR_START 0xccccu
#define IWDG_KR_UNLOCK 0x5555u
#define IWDG_KR_FEED 0xaaaau
#define IWDG_PR_256 6u
#define IWDG_MOST_TICKS 4096u
#define LSI_MOST_HZ 60000u /* ST DS5319 (STM32F103x8) and DS5944 (STM32F100x4): 30 to 60 kHz */

#define USART1_IRQ 37u /* RM0041 table 50, RM0008 table 63 */
#define IRQ_COUNT 61u

#define UNIQUE_ID_ADDRESS 0x1ffff7e8u /* 96 bits, RM0008 section 30.2 */
#define UNIQUE_ID_WORDS 3u

#endif /* LW_STM32F1_REGISTERS_H */
