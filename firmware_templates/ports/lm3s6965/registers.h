/* registers.h: the registers this port touches. Texas Instruments LM3S6965 data sheet, DS-LM3S6965-12746. */
#ifndef LW_LM3S6965_REGISTERS_H
#define LW_LM3S6965_REGISTERS_H

#include "core.h"

/* System control, chapter 5 */
#define SYSCTL_RIS LW_REGISTER(0x400fe050u)
#define SYSCTL_MISC LW_REGISTER(0x400fe058u)
#define SYSCTL_RESC LW_REGISTER(0x400fe05cu)
#define SYSCTL_RCC LW_REGISTER(0x400fe060u)
#define SYSCTL_RCGC0 LW_REGISTER(0x400fe100u)
#define SYSCTL_RCGC1 LW_REGISTER(0x400fe104u)
#define SYSCTL_RCGC2 LW_REGISTER(0x400fe108u)
#define PLL_LOCKED (1u << 6) /* in RIS, and written to MISC to be cleared */
#define RCC_MOSCDIS (1u << 0)
#define RCC_OSCSRC (3u << 4) /* 0: main oscillator */
#define RCC_XTAL (0xfu << 6)
#define RCC_XTAL_8MHZ (0xeu << 6)
#define RCC_BYPASS (1u << 11)
#define RCC_PWRDN (1u << 13)
#define RCC_USESYSDIV (1u << 22)
#define RCC_SYSDIV(divisor) (((divisor) - 1u) << 23)
#define RESC_PIN (1u << 0)
#define RESC_POWER (3u << 1) /* power-on and brown-out */
#define RESC_WATCHDOG (1u << 3)
#define RESC_SOFTWARE (1u << 4)
#define RCGC0_WATCHDOG (1u << 3)
#define RCGC1_UART0 (1u << 0)
#define RCGC2_GPIOA (1u << 0)
#define RCGC2_GPIOD (1u << 3)

/* GPIO, chapter 9: PA0 is RX and PA1 is TX of UART0; a data address names the pins it reaches */
#define GPIOA_AFSEL LW_REGISTER(0x40004420u)
#define GPIOA_DEN LW_REGISTER(0x4000451cu)
#define GPIOD_PIN0 LW_REGISTER(0x40007004u)
#define GPIOD_DIR LW_REGISTER(0x40007400u)
#define GPIOD_DEN LW_REGISTER(0x4000751cu)

/* Watchdog, chapter 11 */
#define WATCHDOG_LOAD LW_REGISTER(0x40000000u)
#define WATCHDOG_CTL LW_REGISTER(0x40000008u)
#define WATCHDOG_ICR LW_REGISTER(0x4000000cu)
#define WATCHDOG_CTL_INTEN (1u << 0)
#define WATCHDOG_CTL_RESEN (1u << 1)

/* UART 0, chapter 13 */
#define UART0_DR LW_REGISTER(0x4000c000u)
#define UART0_FR LW_REGISTER(0x4000c018u)
#define UART0_IBRD LW_REGISTER(0x4000c024u)
#define UART0_FBRD LW_REGISTER(0x4000c028u)
#define UART0_LCRH LW_REGISTER(0x4000c02cu)
#define UART0_CTL LW_REGISTER(0x4000c030u)
#define UART0_IM LW_REGISTER(0x4000c038u)
#define UART0_ICR LW_REGISTER(0x4000c044u)
#define UART_FR_BUSY (1u << 3)
#define UART_FR_RXFE (1u << 4)
#define UART_FR_TXFF (1u << 5)
#define UART_LCRH_FIFO (1u << 4)
#define UART_LCRH_8BITS (3u << 5)
#define UART_CTL_ENABLE 0x301u /* UARTEN, TXE, RXE */
#define UART_INT_RX (1u << 4)
#define UART_INT_TX (1u << 5)
#define UART_INT_RX_TIMEOUT (1u << 6)

#define UART0_IRQ 5u
#define WATCHDOG_IRQ 18u
#define IRQ_COUNT 44u

#endif /* LW_LM3S6965_REGISTERS_H */
