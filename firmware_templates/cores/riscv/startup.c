/* startup.c: reset, traps and sleep of a RISC-V core in machine mode. */
#include "core.h"
#include "serial.h"

#define MIE_EXTERNAL (1u << 11)
#define EXTERNAL_INTERRUPT 0x8000000bu

extern uint32_t lw_stack_bottom[], lw_stack_top[], lw_data_load[], lw_data_start[], lw_data_end[], lw_bss_start[],
    lw_bss_end[];
#ifdef LW_FAST_MEMORY
extern uint32_t lw_fast_data_load[], lw_fast_data_start[], lw_fast_data_end[], lw_fast_bss_start[], lw_fast_bss_end[];
#endif

int main(void);
void lw_reset_handler(void);
void lw_start(void);
void lw_trap_entry(void);
void lw_trap(void);
void lw_fault(void);

/* First in memory: where the core, or the boot ROM of an emulator, begins. */
__attribute__((naked, used, section(".vectors"))) void lw_reset_handler(void)
{
    __asm volatile("csrw mie, zero\n\t"
                   "la sp, lw_stack_top\n\t"
                   "la t0, lw_trap_entry\n\t"
                   "csrw mtvec, t0\n\t"
                   "call lw_start");
}

__attribute__((used)) void lw_start(void)
{
    const uint32_t *from = lw_data_load;
    for (volatile uint32_t *to = lw_data_start; to < lw_data_end; to++) {
        *to = *from;
        from++;
    }
    for (volatile uint32_t *to = lw_bss_start; to < lw_bss_end; to++) {
        *to = 0;
    }
#ifdef LW_FAST_MEMORY
    from = lw_fast_data_load;
    for (volatile uint32_t *to = lw_fast_data_start; to < lw_fast_data_end; to++) {
        *to = *from;
        from++;
    }
    for (volatile uint32_t *to = lw_fast_bss_start; to < lw_fast_bss_end; to++) {
        *to = 0;
    }
#endif
    (void)main();
    lw_fault();
}

/* Interrupts go on below on the same stack; after a fault, which the stack may have caused, it begins anew. */
__attribute__((naked, used, aligned(4))) void lw_trap_entry(void)
{
    __asm volatile("csrw mscratch, t0\n\t"
                   "csrr t0, mcause\n\t"
                   "bltz t0, 1f\n\t"
                   "la sp, lw_stack_top\n\t"
                   "call lw_fault\n\t"
                   "1:\n\t"
                   "csrr t0, mscratch\n\t"
                   "j lw_trap");
}

__attribute__((interrupt("machine"), used)) void lw_trap(void)
{
    uint32_t cause;
    __asm volatile("csrr %0, mcause" : "=r"(cause));
    if (cause != EXTERNAL_INTERRUPT) {
        lw_core_restart(LW_RESET_FAULT); /* nobody asked for it */
    }
    lw_external_interrupt();
}

/* A fault restarts the chip, which then says so. */
__attribute__((used)) void lw_fault(void)
{
    lw_core_restart(LW_RESET_FAULT);
}

void lw_core_start(void)
{
    __asm volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL));
    lw_core_unmask(8u);
}

/* WFI ends for an interrupt that is masked in mstatus too. */
void lw_port_idle(void)
{
    (void)lw_core_mask();
    if (!lw_serial_waiting()) {
        __asm volatile("wfi" ::: "memory");
    }
    lw_core_unmask(8u);
}

void lw_port_reset(void)
{
    lw_port_drain();
    lw_core_restart(LW_RESET_SOFTWARE);
}

uint32_t *lw_port_stack_bottom(void)
{
    return lw_stack_bottom;
}

uint32_t *lw_port_stack_top(void)
{
    return lw_stack_top;
}
