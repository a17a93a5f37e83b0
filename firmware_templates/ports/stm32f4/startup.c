/* startup.c: vector table and reset of the STM32F405 (vector positions: ST RM0090 table 62). */
#include <stdint.h>

#include "port.h"
#include "registers.h"
#include "restart.h"

extern uint32_t lw_stack_bottom[], lw_stack_top[], lw_data_load[], lw_data_start[], lw_data_end[], lw_bss_start[],
    lw_bss_end[];

int main(void);
void lw_reset_handler(void);
void lw_fault_handler(void);
void lw_usart1_handler(void);

typedef union {
    void (*handler)(void);
    uint32_t *stack_top;
} vector;

#define FAULT {.handler = lw_fault_handler}

/* Every vector that this firmware does not use is a fault: nothing enables its interrupt. */
__attribute__((section(".vectors"), used)) static const vector vectors[16u + IRQ_COUNT] = {
    [0] = {.stack_top = lw_stack_top},
    [1] = {.handler = lw_reset_handler},
    [2] = FAULT, /* NMI */
    [3] = FAULT, /* HardFault */
    [4] = FAULT, /* MemManage */
    [5] = FAULT, /* BusFault */
    [6] = FAULT, /* UsageFault */
    [11] = FAULT, /* SVCall */
    [12] = FAULT, /* DebugMonitor */
    [14] = FAULT, /* PendSV */
    [15] = FAULT, /* SysTick */
    [16u + USART1_IRQ] = {.handler = lw_usart1_handler},
};

/* Before main() nothing may use the FPU, the stack above is empty and no interrupt is enabled. */
void lw_reset_handler(void)
{
    SCB_CPACR |= SCB_CPACR_FPU;
    __asm volatile("dsb\n\tisb" ::: "memory");
    SCB_VTOR = (uint32_t)(uintptr_t)vectors;
    const uint32_t *from = lw_data_load;
    for (volatile uint32_t *to = lw_data_start; to < lw_data_end; to++) {
        *to = *from;
        from++;
    }
    for (volatile uint32_t *to = lw_bss_start; to < lw_bss_end; to++) {
        *to = 0;
    }
    (void)main();
    lw_fault_handler();
}

static __attribute__((noreturn)) void restart(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = SCB_AIRCR_RESET;
    __asm volatile("dsb" ::: "memory");
    for (;;) {
        __asm volatile("");
    }
}

/* A fault restarts the chip, which then says so. */
void lw_fault_handler(void)
{
    lw_restart_note(LW_RESET_FAULT);
    restart();
}

uint32_t *lw_port_stack_bottom(void)
{
    return lw_stack_bottom;
}

uint32_t *lw_port_stack_top(void)
{
    return lw_stack_top;
}

void lw_port_reset(void)
{
    lw_restart_note(LW_RESET_SOFTWARE);
    restart();
}
