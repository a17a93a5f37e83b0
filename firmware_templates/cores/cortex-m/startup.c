/* startup.c: vector table, reset and faults of a Cortex-M; the port's own interrupts follow in .vectors.device. */
#include "core.h"

#define SCB_CPACR LW_REGISTER(0xe000ed88u)
#define SCB_CPACR_FPU (15u << 20) /* full access to CP10 and CP11: floating point, and MVE with or without it */

extern uint32_t lw_stack_bottom[], lw_stack_top[], lw_data_load[], lw_data_start[], lw_data_end[], lw_bss_start[],
    lw_bss_end[];
#ifdef LW_FAST_MEMORY
extern uint32_t lw_fast_data_load[], lw_fast_data_start[], lw_fast_data_end[], lw_fast_bss_start[], lw_fast_bss_end[];
#endif

int main(void);
void lw_reset_handler(void);
void lw_systick_handler(void);
void lw_fault(void);
void lw_nmi_handler(void) __attribute__((weak, alias("lw_fault_handler")));

#define FAULT {.handler = lw_fault_handler}

__attribute__((section(".vectors"), used)) static const lw_vector vectors[16] = {
    [0] = {.stack_top = lw_stack_top},
    [1] = {.handler = lw_reset_handler},
    [2] = {.handler = lw_nmi_handler},
    [3] = FAULT, /* HardFault */
    [4] = FAULT, /* MemManage */
    [5] = FAULT, /* BusFault */
    [6] = FAULT, /* UsageFault */
    [7] = FAULT, /* SecureFault */
    [11] = FAULT, /* SVCall */
    [12] = FAULT, /* DebugMonitor */
    [14] = FAULT, /* PendSV */
    [15] = {.handler = lw_systick_handler},
};

/* Before main() nothing may use the FPU, the stack above is empty and no interrupt is enabled. */
void lw_reset_handler(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    SCB_CPACR |= SCB_CPACR_FPU;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
#if __ARM_ARCH >= 8 && __ARM_ARCH_ISA_THUMB >= 2
    __asm volatile("msr msplim, %0" ::"r"(lw_stack_bottom)); /* an overflow faults at once */
#endif
#if __ARM_ARCH >= 7 /* an ARMv6-M core may have no such register: then the table lies at address 0 */
    SCB_VTOR = (uint32_t)(uintptr_t)vectors;
#endif
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
    lw_fault_handler();
}

/* The stack may be what failed, so it begins anew. */
__attribute__((naked)) void lw_fault_handler(void)
{
    __asm volatile("ldr r0, =lw_stack_top\n\tmov sp, r0\n\tbl lw_fault\n\t.ltorg");
}

/* A fault restarts the chip, which then says so. */
__attribute__((used)) void lw_fault(void)
{
    lw_core_restart(LW_RESET_FAULT);
}

uint32_t *lw_port_stack_bottom(void)
{
    return lw_stack_bottom;
}

uint32_t *lw_port_stack_top(void)
{
    return lw_stack_top;
}
