/* registers.h: the registers this port touches. Arm DAI0386 (AN386), Arm DDI 0479D (CMSDK peripherals), DDI 0403E. */
#ifndef LW_MPS2_REGISTERS_H
#define LW_MPS2_REGISTERS_H

#include <stdint.h>

#define LW_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* CMSDK timer 0, DDI 0479D section 4.2: counts down from RELOAD */
#define TIMER0_CTRL LW_REGISTER(0x40000000u)
#define TIMER0_VALUE LW_REGISTER(0x40000004u)
#define TIMER0_RELOAD LW_REGISTER(0x40000008u)
#define TIMER_CTRL_ENABLE 1u

/* CMSDK UART 0, DDI 0479D section 4.3 */
#define UART0_DATA LW_REGISTER(0x40004000u)
#define UART0_STATE LW_REGISTER(0x40004004u)
#define UART0_CTRL LW_REGISTER(0x40004008u)
#define UART0_INTCLEAR LW_REGISTER(0x4000400cu)
#define UART0_BAUDDIV LW_REGISTER(0x40004010u)
#define UART_STATE_TX_FULL (1u << 0)
#define UART_STATE_RX_FULL (1u << 1)
#define UART_CTRL_TX_ENABLE (1u << 0)
#define UART_CTRL_RX_ENABLE (1u << 1)
#define UART_CTRL_RX_INTERRUPT (1u << 3)
#define UART_INT_RX (1u << 1)

#define NVIC_ISER0 LW_REGISTER(0xe000e100u)
#define SCB_VTOR LW_REGISTER(0xe000ed08u)
#define SCB_AIRCR LW_REGISTER(0xe000ed0cu)
#define SCB_CPACR LW_REGISTER(0xe000ed88u)
#define SCB_AIRCR_RESET 0x05fa0004u
#define SCB_CPACR_FPU (15u << 20)

#define UART0_RX_IRQ 0u /* DAI0386 table 3-2 */
#define IRQ_COUNT 32u
#define PCLK_HZ 25000000u

#endif /* LW_MPS2_REGISTERS_H */
