/* core.h: what every Cortex-M has. Arm DDI 0419C (ARMv6-M), DDI 0403E (ARMv7-M), DDI 0553B (ARMv8-M).
 *
 * A port gives the table of its interrupts: 'LW_INTERRUPTS = {[USART1_IRQ] = {.handler = lw_serial_interrupt}}'. What it
 * leaves out is never enabled. */
#ifndef LW_CORE_H
#define LW_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

#define LW_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* System timer, DDI 0403E B3.3 */
#define SYSTICK_CONTROL LW_REGISTER(0xe000e010u)
#define SYSTICK_RELOAD LW_REGISTER(0xe000e014u)
#define SYSTICK_CURRENT LW_REGISTER(0xe000e018u)
#define SYSTICK_ENABLE (1u << 0)
#define SYSTICK_INTERRUPT (1u << 1)
#define SYSTICK_CORE_CLOCK (1u << 2)
#define SYSTICK_MOST 0xffffffu

/* System control block, DDI 0403E B3.2 */
#define SCB_ICSR LW_REGISTER(0xe000ed04u)
#define SCB_ICSR_PENDSTCLR (1u << 25)
#define SCB_VTOR LW_REGISTER(0xe000ed08u)
#define SCB_AIRCR LW_REGISTER(0xe000ed0cu)
#define SCB_AIRCR_RESET 0x05fa0004u /* VECTKEY, SYSRESETREQ */

typedef union {
    void (*handler)(void);
    uint32_t *stack_top;
} lw_vector;

#define LW_INTERRUPTS __attribute__((section(".vectors.device"), used)) static const lw_vector interrupts[IRQ_COUNT]

void lw_fault_handler(void);

/* The non-maskable interrupt: a fault, unless the port says otherwise. */
void lw_nmi_handler(void);

/* Notes the cause and restarts the chip. */
__attribute__((noreturn)) void lw_core_restart(lw_reset_cause cause);

/* How fast the core, and with it the system timer, runs; before lw_port_idle() and lw_core_ticks_start(). */
void lw_core_clock(uint32_t core_hz);

/* From now on lw_port_idle() returns often enough to feed a watchdog. */
void lw_core_guard(void);

/* Starts the cycle counter of DWT; false where there is none that counts (ARMv6-M, QEMU). */
bool lw_core_dwt_start(void);
uint32_t lw_core_dwt(void);

/* The system timer as a counter of core cycles with 32 bits, for chips without another one: an interrupt of some ten
 * instructions every tenth of a second. */
void lw_core_ticks_start(void);
uint32_t lw_core_ticks(void);

static inline void lw_core_enable(uint32_t interrupt)
{
    LW_REGISTER(0xe000e100u + 4u * (interrupt / 32u)) = 1u << (interrupt % 32u); /* NVIC_ISER */
}

static inline uint32_t lw_core_mask(void)
{
    uint32_t before;
    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(before)::"memory");
    return before;
}

static inline void lw_core_unmask(uint32_t before)
{
    __asm volatile("msr primask, %0" ::"r"(before) : "memory");
}

#endif /* LW_CORE_H */
