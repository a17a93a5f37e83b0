/* registers.h: the registers this port touches. QEMU hw/riscv/virt.c (addresses, QEMU docs/system/riscv/virt.rst),
 * National Semiconductor PC16550D (UART), RISC-V PLIC specification 1.0. */
#ifndef LW_RISCV_VIRT_REGISTERS_H
#define LW_RISCV_VIRT_REGISTERS_H

#include "core.h"

#define FINISHER LW_REGISTER(0x00100000u) /* "SiFive test finisher" */
#define FINISHER_RESET 0x7777u

/* Interrupt controller: context 0 is machine mode of hart 0 */
#define PLIC_PRIORITY(source) LW_REGISTER(0x0c000000u + 4u * (source))
#define PLIC_ENABLE LW_REGISTER(0x0c002000u) /* sources 0 to 31 */
#define PLIC_THRESHOLD LW_REGISTER(0x0c200000u)
#define PLIC_CLAIM LW_REGISTER(0x0c200004u)
#define UART_SOURCE 10u

/* UART 0, 16550 with queues of 16 bytes */
#define UART_DATA LW_REGISTER_8(0x10000000u)
#define UART_IER LW_REGISTER_8(0x10000001u)
#define UART_IIR LW_REGISTER_8(0x10000002u)
#define UART_FCR LW_REGISTER_8(0x10000002u)
#define UART_LCR LW_REGISTER_8(0x10000003u)
#define UART_LSR LW_REGISTER_8(0x10000005u)
#define UART_DIVISOR_LOW LW_REGISTER_8(0x10000000u) /* while LCR bit 7 is set */
#define UART_DIVISOR_HIGH LW_REGISTER_8(0x10000001u)
#define UART_IER_RX (1u << 0)
#define UART_IER_TX (1u << 1)
#define UART_FCR_ENABLE_AND_CLEAR 7u
#define UART_LCR_8BITS 3u
#define UART_LCR_DIVISOR (1u << 7)
#define UART_LSR_RX_READY (1u << 0)
#define UART_LSR_TX_EMPTY (1u << 5)
#define UART_LSR_IDLE (1u << 6)
#define UART_HZ 3686400u /* virt.c: 3.6864 MHz */

#endif /* LW_RISCV_VIRT_REGISTERS_H */
