#include "board.h"

extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end;
void reset_handler(void);
void default_handler(void);

void default_handler(void) {
    for (;;) {}
}

__attribute__((weak)) void usart1_handler(void) { default_handler(); }
__attribute__((weak)) void systick_handler(void) { default_handler(); }
__attribute__((weak)) void pendsv_handler(void) { default_handler(); }
__attribute__((weak)) void svc_handler(void) { default_handler(); }
__attribute__((weak)) void irq0_handler(void) { default_handler(); }
__attribute__((weak)) void irq1_handler(void) { default_handler(); }
__attribute__((weak)) void irq2_handler(void) { default_handler(); }

void reset_handler(void) {
    volatile uint32_t *from = &data_load;
    for (volatile uint32_t *to = &data_start; to < &data_end;) *to++ = *from++;
    for (volatile uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0u;
    main();
    NVIC_ISER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u); /* the emulator calls a sleep that nothing can end a fault */
    for (;;) wait_for_interrupt();
}

typedef void (*handler)(void);
__attribute__((section(".vectors"), used)) static const handler vectors[16 + 82] = {
    (handler)&stack_top, reset_handler,
    [2 ... 10] = default_handler, [11] = svc_handler, [12 ... 13] = default_handler, [14] = pendsv_handler,
    [15] = systick_handler, [16] = irq0_handler, [17] = irq1_handler, [18] = irq2_handler,
    [19 ... 16 + 36] = default_handler, [16 + USART1_IRQ] = usart1_handler, [16 + 38 ... 16 + 81] = default_handler,
};
