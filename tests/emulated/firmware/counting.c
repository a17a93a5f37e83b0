/* A known number of instructions between two reads of the cycle counter, once around a loop and once within one block,
 * and a piece of mixed code for the comparison with a hook on every instruction. */
#include "board.h"

static uint8_t bytes[256];
static volatile uint32_t sink;

__attribute__((noinline)) static uint32_t mixed(uint32_t rounds) {
    uint32_t sum = 0u;
    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t i = 0; i < 256u; i++) {
            uint32_t x = bytes[i] + r;
            if (x & 1u) sum += x;
            else sum ^= x << 3;
            bytes[i] = (uint8_t)(sum >> 2);
        }
        if (sum % 7u == 3u) sum /= 3u;
    }
    return sum;
}

int main(void) {
    uint32_t first, second, third;
    enable_fpu();
    usart_start();
    counter_start();
    __asm volatile(
        "ldr %0, [%3]\n nop\n nop\n nop\n ldr %1, [%3]\n"
        "mov %2, #100\n"
        "1: subs %2, #1\n bne 1b\n"
        "ldr %2, [%3]\n"
        : "=&r"(first), "=&r"(second), "=&r"(third) : "r"(&DWT_CYCCNT) : "cc", "memory");
    put_hex(second - first);
    put(' ');
    put_hex(third - second);
    put('\n');
    (void)DWT_CYCCNT;
    sink = mixed(ROUNDS);
    (void)DWT_CYCCNT;
    put_hex(sink);
    put('\n');
    USART1_CR1 |= 1u << 5;
    NVIC_ISER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u);
#ifdef READ_BEHIND_WFI
    for (;;) __asm volatile("wfi\n ldr r0, [%0]" ::"r"(&DWT_CYCCNT) : "r0", "memory");
#endif
    for (;;) wait_for_interrupt();
}

void usart1_handler(void) {
    (void)USART1_DR;
    (void)DWT_CYCCNT;
    sink = mixed(ROUNDS);
    (void)DWT_CYCCNT;
    put_hex(sink);
    put('\n');
}
