/* startup.c: vector table and reset of a boot loader on the STM32F405; no interrupt is ever enabled. */
#include <stdint.h>

#include "registers.h"

extern uint32_t lw_stack_top[], lw_data_load[], lw_data_start[], lw_data_end[], lw_bss_start[], lw_bss_end[];

int main(void);
void lw_reset_handler(void);

typedef union {
    void (*handler)(void);
    uint32_t *stack_top;
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    [0] = {.stack_top = lw_stack_top},
    [1] = {.handler = lw_reset_handler},
    [2] = {.handler = lw_fault_handler}, /* NMI */
    [3] = {.handler = lw_fault_handler}, /* HardFault, to which all other faults escalate while they are disabled */
};

void lw_reset_handler(void)
{
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

void lw_fault_handler(void)
{
    for (;;) {
        __asm volatile("");
    }
}
