/* port.c: serial port and counter of QEMU's RISC-V machine 'virt'. README.md says what the counter means. */
#include "port.h"

#include "registers.h"
#include "restart.h"
#include "serial.h"
#include "uart.h"

#ifndef LW_LINK_BAUD
#define LW_LINK_BAUD 115200
#endif

#define DIVISOR ((UART_HZ + 8u * LW_LINK_BAUD) / (16u * LW_LINK_BAUD))

#define GUARD_BYTES 4096u
#define PMP_NONE 0x98u /* locked, a naturally aligned power of two, no access */

static lw_reset_cause reset_cause;

void lw_external_interrupt(void)
{
    uint32_t source = PLIC_CLAIM;
    if (source == UART_SOURCE) {
        (void)UART_IIR; /* takes back "room to send" */
        lw_serial_interrupt();
    }
    PLIC_CLAIM = source;
}

__attribute__((noreturn)) void lw_core_restart(lw_reset_cause cause)
{
    lw_restart_note(cause);
    FINISHER = FINISHER_RESET;
    for (;;) {
        __asm volatile("");
    }
}

/* 4 KiB below the stack that nobody may touch, machine mode included, until the next reset (RISC-V privileged
 * architecture 1.12, section 3.7): an overflow faults. It is the end of the memory for code, which is never full. */
static void guard_stack(void)
{
    uint32_t guard = (uint32_t)(uintptr_t)lw_port_stack_bottom() - GUARD_BYTES;
    __asm volatile("csrw pmpaddr0, %0\n\tcsrw pmpcfg0, %1" ::"r"((guard >> 2) | (GUARD_BYTES / 8u - 1u)), "r"(PMP_NONE));
}

void lw_port_init(void)
{
    reset_cause = lw_restart_cause();
    guard_stack();
    UART_LCR = UART_LCR_8BITS | UART_LCR_DIVISOR;
    UART_DIVISOR_LOW = (uint8_t)DIVISOR;
    UART_DIVISOR_HIGH = (uint8_t)(DIVISOR >> 8);
    UART_LCR = UART_LCR_8BITS;
    UART_FCR = UART_FCR_ENABLE_AND_CLEAR;
    lw_uart_send_interrupt(false);
    PLIC_PRIORITY(UART_SOURCE) = 1;
    PLIC_ENABLE = 1u << UART_SOURCE;
    PLIC_THRESHOLD = 0;
    lw_core_start();
}

uint32_t lw_port_cycles(void)
{
    return lw_core_cycles();
}

uint32_t lw_port_cycles_hz(void)
{
    return LW_CLOCK_HZ;
}

const char *lw_port_cycles_name(void)
{
    return "mcycle";
}

/* The machine has none. */
size_t lw_port_unique_id(uint8_t *bytes, size_t capacity)
{
    (void)bytes;
    (void)capacity;
    return 0;
}

lw_reset_cause lw_port_reset_cause(void)
{
    return reset_cause;
}

/* The machine has none. */
bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    (void)timeout_ms;
    return false;
}

void lw_port_watchdog_feed(void)
{
}

/* The machine has no pins. */
void lw_port_marker(bool on)
{
    (void)on;
}
