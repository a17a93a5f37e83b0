/* port.c: app/port.h as a board's user might write it, with none of leadwire's ports: start-up, polled sending, one
 * interrupt. Runs on an STM32F405 at its reset clock, on the built-in emulator and in a chip. */
#include "port.h"

#include "ring.h"

#define REG(address) (*(volatile uint32_t *)(address))
#define AHB1ENR REG(0x40023830u)
#define APB2ENR REG(0x40023844u)
#define PORTA(offset) REG(0x40020000u + (offset))
#define USART(offset) REG(0x40011000u + (offset))
#define USART1_IRQ 37u
#define CORE_HZ 16000000u

extern uint32_t ram_top, stack_floor, data_in_flash, data_begin, data_end, bss_begin, bss_end;
int main(void);
void begin(void);
static lw_ring ring;

void lw_port_init(void)
{
    AHB1ENR |= 1u;
    APB2ENR |= 1u << 4;
    PORTA(0x00u) = (PORTA(0x00u) & ~(0xfu << 18)) | (0xau << 18);
    PORTA(0x24u) = (PORTA(0x24u) & ~(0xffu << 4)) | (0x77u << 4);
    USART(0x08u) = (CORE_HZ + LW_LINK_BAUD / 2u) / LW_LINK_BAUD;
    USART(0x0cu) = (1u << 13) | (1u << 5) | (1u << 3) | (1u << 2);
    REG(0xe000e100u + 4u * (USART1_IRQ / 32u)) = 1u << (USART1_IRQ % 32u);
    REG(0xe000edfcu) |= 1u << 24;
    REG(0xe0001000u) |= 1u;
}

static void on_usart(void)
{
    while ((USART(0x00u) & (1u << 5)) != 0u) {
        lw_ring_put(&ring, (uint8_t)USART(0x04u));
    }
}

size_t lw_port_read(uint8_t *bytes, size_t capacity)
{
    return lw_ring_take(&ring, bytes, capacity);
}

void lw_port_write(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        while ((USART(0x00u) & (1u << 7)) == 0u) {
        }
        USART(0x04u) = bytes[i];
    }
}

void lw_port_drain(void)
{
    while ((USART(0x00u) & (1u << 6)) == 0u) {
    }
}

void lw_port_idle(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (ring.head == ring.tail) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}

uint32_t lw_port_cycles(void)
{
    return REG(0xe0001004u);
}

uint32_t lw_port_cycles_hz(void)
{
    return CORE_HZ;
}

const char *lw_port_cycles_name(void)
{
    return "dwt";
}

size_t lw_port_unique_id(uint8_t *bytes, size_t capacity)
{
    size_t length = capacity < 12u ? capacity : 12u;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = ((const volatile uint8_t *)0x1fff7a10u)[i];
    }
    return length;
}

uint32_t *lw_port_stack_bottom(void)
{
    return &stack_floor;
}

uint32_t *lw_port_stack_top(void)
{
    return &ram_top;
}

void lw_port_reset(void)
{
    REG(0xe000ed0cu) = 0x05fa0004u;
    for (;;) {
    }
}

lw_reset_cause lw_port_reset_cause(void)
{
    return LW_RESET_UNKNOWN;
}

bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    (void)timeout_ms;
    return false;
}

void lw_port_watchdog_feed(void)
{
}

void lw_port_marker(bool on)
{
    (void)on;
}

void begin(void)
{
    REG(0xe000ed88u) |= 0xfu << 20;
    __asm volatile("dsb\n isb" ::: "memory");
    volatile uint32_t *from = &data_in_flash;
    for (volatile uint32_t *to = &data_begin; to < &data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = &bss_begin; to < &bss_end; to++) {
        *to = 0u;
    }
    (void)main();
}

static void halt(void)
{
    for (;;) {
    }
}

typedef void (*handler)(void);
__attribute__((section(".table"), used)) static const handler table[16 + USART1_IRQ + 1] = {
    (handler)&ram_top, begin, [2 ... 15 + USART1_IRQ] = halt, [16 + USART1_IRQ] = on_usart,
};
