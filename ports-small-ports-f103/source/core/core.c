/* core.c: see core.h. */
#include "core.h"

#include "restart.h"
#include "serial.h"

#define DEMCR LW_REGISTER(0xe000edfcu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL LW_REGISTER(0xe0001000u)
#define DWT_CTRL_CYCCNTENA (1u << 0)
#define DWT_CYCCNT LW_REGISTER(0xe0001004u)
#define IDLE_HZ 10u

static uint32_t idle_cycles = SYSTICK_MOST;
static bool counting; /* the system timer is the cycle counter */
static bool guarded;  /* a watchdog waits to be fed */
static volatile uint32_t periods;

void lw_systick_handler(void);

void lw_systick_handler(void)
{
    periods++;
}

__attribute__((noreturn)) void lw_core_restart(lw_reset_cause cause)
{
    lw_restart_note(cause);
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = SCB_AIRCR_RESET;
    __asm volatile("dsb" ::: "memory");
    for (;;) {
        __asm volatile("");
    }
}

void lw_port_reset(void)
{
    lw_port_drain();
    lw_core_restart(LW_RESET_SOFTWARE);
}

void lw_core_clock(uint32_t core_hz)
{
    idle_cycles = core_hz / IDLE_HZ < SYSTICK_MOST ? core_hz / IDLE_HZ : SYSTICK_MOST;
}

static void start_timer(uint32_t reload)
{
    SYSTICK_RELOAD = reload;
    SYSTICK_CURRENT = 0;
    SYSTICK_CONTROL = SYSTICK_CORE_CLOCK | SYSTICK_INTERRUPT | SYSTICK_ENABLE;
}

/* With interrupts masked a byte that comes between the look and WFI still wakes the core (DDI 0403E B1.5.19), and so does
 * the system timer. Where that is not the counter its interrupt is taken back: nothing interrupts an inference. */
void lw_port_idle(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (!lw_serial_waiting()) {
        bool timed = guarded && !counting;
        if (timed) {
            start_timer(idle_cycles);
        }
        __asm volatile("dsb\n\twfi" ::: "memory");
        if (timed) {
            SYSTICK_CONTROL = 0;
            SCB_ICSR = SCB_ICSR_PENDSTCLR;
        }
    }
    __asm volatile("cpsie i\n\tisb" ::: "memory");
}

void lw_core_guard(void)
{
    guarded = true;
}

/* Armv6-M has no such counter; LW_CORE_HAS_DWT says that its code is executed by a core that has one. */
bool lw_core_dwt_start(void)
{
#if __ARM_ARCH < 7 && !defined(LW_CORE_HAS_DWT)
    return false;
#else
    DEMCR |= DEMCR_TRCENA;
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    uint32_t before = DWT_CYCCNT;
    __asm volatile("nop\n\tnop\n\tnop\n\tnop");
    return DWT_CYCCNT != before;
#endif
}

uint32_t lw_core_dwt(void)
{
    return DWT_CYCCNT;
}

void lw_core_ticks_start(void)
{
    counting = true;
    start_timer(idle_cycles);
}

/* The timer counts down and interrupts when it reaches 0. */
uint32_t lw_core_ticks(void)
{
    uint32_t before, current;
    do {
        before = periods;
        current = SYSTICK_CURRENT;
    } while (before != periods);
    return before * (idle_cycles + 1u) + (idle_cycles - current);
}
