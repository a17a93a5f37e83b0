/* core.h: what every RISC-V core with machine mode has (RISC-V privileged architecture 1.12, chapter 3). */
#ifndef LW_CORE_H
#define LW_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

#define LW_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define LW_REGISTER_8(address) (*(volatile uint8_t *)(uintptr_t)(address))

/* The port's handler of the external interrupt: asks its interrupt controller which one. */
void lw_external_interrupt(void);

/* Restarts the chip; the port's. */
__attribute__((noreturn)) void lw_core_restart(lw_reset_cause cause);

/* Lets external interrupts come. */
void lw_core_start(void);

static inline uint32_t lw_core_cycles(void)
{
    uint32_t cycles;
    __asm volatile("csrr %0, mcycle" : "=r"(cycles));
    return cycles;
}

static inline uint32_t lw_core_mask(void)
{
    uint32_t before;
    __asm volatile("csrrci %0, mstatus, 8" : "=r"(before)::"memory"); /* MIE */
    return before;
}

static inline void lw_core_unmask(uint32_t before)
{
    __asm volatile("csrs mstatus, %0" ::"r"(before & 8u) : "memory");
}

#endif /* LW_CORE_H */
