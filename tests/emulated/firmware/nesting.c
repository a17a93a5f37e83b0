/* Three interrupts of rising urgency pend each other, PendSV comes last, masks hold them back, SVC returns a value. */
#include "board.h"

static char trace[64];
static uint32_t length;
static void mark(char c) { trace[length++ & 63u] = c; }

void irq2_handler(void) { mark('2'); }
void irq1_handler(void) {
    mark('1');
    NVIC_ISPR(0) = 1u << 2;
    __asm volatile("dsb\n isb" ::: "memory");
    mark('b');
}
void irq0_handler(void) {
    mark('0');
    SCB_ICSR = 1u << 28;
    NVIC_ISPR(0) = 1u << 1;
    __asm volatile("dsb\n isb" ::: "memory");
    mark('a');
}
void pendsv_handler(void) { mark('p'); }
__attribute__((naked)) void svc_handler(void) {
    __asm volatile("ldr r0, [sp]\n add r0, r0, #42\n str r0, [sp]\n bx lr");
}
static uint32_t call(uint32_t value) {
    register uint32_t r0 __asm("r0") = value;
    __asm volatile("svc 0" : "+r"(r0)::"memory");
    return r0;
}

int main(void) {
    usart_start();
    NVIC_PRIORITY(0) = 0xC0u;
    NVIC_PRIORITY(1) = 0x80u;
    NVIC_PRIORITY(2) = 0x40u;
    SHPR3 = 0xF0u << 16;
    NVIC_ISER(0) = 7u;
    NVIC_ISPR(0) = 1u;
    __asm volatile("dsb\n isb" ::: "memory");
    mark('|');
    disable_interrupts();
    NVIC_ISPR(0) = 1u << 2;
    __asm volatile("dsb\n isb" ::: "memory");
    mark('m');
    enable_interrupts();
    __asm volatile("isb" ::: "memory");
    mark('|');
    __asm volatile("msr basepri, %0" ::"r"(0x60u) : "memory");
    NVIC_ISPR(0) = 1u << 1;
    NVIC_ISPR(0) = 1u << 2;
    __asm volatile("dsb\n isb" ::: "memory");
    mark('B');
    __asm volatile("msr basepri, %0" ::"r"(0u) : "memory");
    __asm volatile("isb" ::: "memory");
    mark('.');
    put_text(trace);
    put(' ');
    put_hex(call(0x1000u));
    put('\n');
    return 0;
}
