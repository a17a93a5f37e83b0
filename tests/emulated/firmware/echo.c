/* Interrupt-driven echo with a ring buffer; sleeps between bytes. */
#include "board.h"

static volatile uint8_t ring[256];
static volatile uint32_t head, tail;

void usart1_handler(void) {
    if (USART1_SR & (1u << 5)) {
        ring[head & 255u] = (uint8_t)USART1_DR;
        head = head + 1u;
    }
}

int main(void) {
    enable_fpu();
    usart_start();
    USART1_CR1 |= 1u << 5;
    NVIC_ISER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u);
#ifdef BANNER
    put_text(BANNER "\n");
#endif
    for (;;) {
        disable_interrupts();
        if (head == tail) wait_for_interrupt();
        enable_interrupts();
        while (tail != head) {
            put(ring[tail & 255u]);
            tail = tail + 1u;
        }
    }
}
