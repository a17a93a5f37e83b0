/* One crash, chosen at compile time. */
#include "board.h"

__attribute__((noinline)) static void crash(void) {
#if defined(READ_UNMAPPED)
    (void)REG(0x60000000u);
#elif defined(WRITE_FLASH)
    REG(0x08000100u) = 1u;
#elif defined(NO_PERIPHERAL)
    (void)REG(0x40002400u);
#elif defined(UNDEFINED)
    __asm volatile("udf #1");
#elif defined(BREAKPOINT)
    __asm volatile("bkpt #1");
#elif defined(EVEN_ADDRESS)
    __asm volatile("bx %0" ::"r"(0x08000100u));
#elif defined(JUMP_AWAY)
    __asm volatile("bx %0" ::"r"(0x30000001u));
#elif defined(UNEXPECTED_INTERRUPT)
    NVIC_ISER(0) = 1u << 5;
    NVIC_ISPR(0) = 1u << 5;
#elif defined(ENDLESS_LOOP)
    disable_interrupts();
    for (;;) {}
#elif defined(SLEEP_FOREVER)
    wait_for_interrupt();
#elif defined(STACK_OVERFLOW)
    __asm volatile("mov sp, %0\n push {r0}" ::"r"(0x20000000u));
#endif
}

int main(void) {
    usart_start();
    put_text("before\n");
    crash();
    put_text("after\n");
    for (;;) wait_for_interrupt();
}
