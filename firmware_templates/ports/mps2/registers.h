/* registers.h: the registers this port touches, on the FPGA image that belongs to the core the firmware is built for.
 *
 * Cortex-M3, M4, M7: AN385, AN386, AN500 (Arm DAI0385, DAI0386, DAI0500), peripherals of Arm DDI 0479D (CMSDK).
 * Cortex-M33: AN505 (DAI0505, IoT Kit of Arm ECM0601256). Cortex-M55: AN547 (DAI0547, SSE-300 of Arm 101773); on both
 * everything stays in the Secure state the core starts in, and is reached at Secure addresses. */
#ifndef LW_MPS2_REGISTERS_H
#define LW_MPS2_REGISTERS_H

#include "core.h"

#if defined(__ARM_FEATURE_MVE)
#define UART0 0x59303000u
#define UART0_RX_IRQ 33u
#define UART0_TX_IRQ 34u
#define UART0_HZ 25000000u
#define WATCHDOG 0x5802e000u /* S32K watchdog */
#define WATCHDOG_HZ 32768u
#define GPIO0 0x51100000u
#define COUNTER_CONTROL LW_REGISTER(0x58100000u) /* system counter, Arm 101773: CNTCR, CNTCV */
#define COUNTER_VALUE LW_REGISTER(0x58101000u)
#define COUNTER_CONTROL_ENABLE 1u
#elif __ARM_ARCH >= 8
#define UART0 0x50200000u
#define UART0_RX_IRQ 32u
#define UART0_TX_IRQ 33u
#define UART0_HZ LW_CLOCK_HZ
#define WATCHDOG 0x5002e000u /* S32K watchdog */
#define WATCHDOG_HZ 32768u
#define GPIO0 0x50100000u
#define TIMER0 0x50000000u
#else
#define UART0 0x40004000u
#define UART0_RX_IRQ 0u
#define UART0_TX_IRQ 1u
#define UART0_HZ LW_CLOCK_HZ
#define WATCHDOG 0x40008000u
#define WATCHDOG_HZ LW_CLOCK_HZ
#define GPIO0 0x40010000u
#define TIMER0 0x40000000u
#endif
#define IRQ_COUNT 35u

/* CMSDK UART, DDI 0479D section 4.3 */
#define UART0_DATA LW_REGISTER(UART0)
#define UART0_STATE LW_REGISTER(UART0 + 0x04u)
#define UART0_CTRL LW_REGISTER(UART0 + 0x08u)
#define UART0_INTCLEAR LW_REGISTER(UART0 + 0x0cu)
#define UART0_BAUDDIV LW_REGISTER(UART0 + 0x10u)
#define UART_STATE_TX_FULL (1u << 0)
#define UART_STATE_RX_FULL (1u << 1)
#define UART_STATE_OVERRUNS (3u << 2) /* cleared by writing them */
#define UART_CTRL_TX_ENABLE (1u << 0)
#define UART_CTRL_RX_ENABLE (1u << 1)
#define UART_CTRL_TX_INTERRUPT (1u << 2)
#define UART_CTRL_RX_INTERRUPT (1u << 3)
#define UART_INT_TX (1u << 0)
#define UART_INT_RX (1u << 1)

/* CMSDK timer, DDI 0479D section 4.2: counts down from RELOAD */
#define TIMER0_CTRL LW_REGISTER(TIMER0)
#define TIMER0_VALUE LW_REGISTER(TIMER0 + 0x04u)
#define TIMER0_RELOAD LW_REGISTER(TIMER0 + 0x08u)
#define TIMER_CTRL_ENABLE 1u

/* CMSDK watchdog, DDI 0479D section 4.5; its interrupt is the NMI */
#define WATCHDOG_LOAD LW_REGISTER(WATCHDOG)
#define WATCHDOG_CONTROL LW_REGISTER(WATCHDOG + 0x08u)
#define WATCHDOG_INTCLR LW_REGISTER(WATCHDOG + 0x0cu)
#define WATCHDOG_CONTROL_INTEN (1u << 0)
#define WATCHDOG_CONTROL_RESEN (1u << 1)

/* CMSDK GPIO, DDI 0479D section 4.1 */
#define GPIO0_DATAOUT LW_REGISTER(GPIO0 + 0x04u)
#define GPIO0_OUTENSET LW_REGISTER(GPIO0 + 0x10u)

#endif /* LW_MPS2_REGISTERS_H */
