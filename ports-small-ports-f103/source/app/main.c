/* main.c: the bench firmware: prepares the model, then answers the link for ever.
 *
 * The watchdog is fed once in each turn of this loop, so whatever does not come back from a turn restarts the chip. It
 * waits for several times as long as the self-test took, which runs the model once. Where the model takes so long that
 * the watchdog might not wait for it, it stays off. */
#include "port.h"
#include "smp.h"
#include "stack.h"

#define LEAST_WAIT_MS 2000u
#define RUNS_TO_WAIT 8u
#define LONGEST_RUN_MS 2000u /* most watchdogs wait for 16 s and more */

static void start_watchdog(uint32_t run_cycles)
{
    uint32_t run_ms = run_cycles / (lw_port_cycles_hz() / 1000u + 1u) + 1u;
    if (run_ms <= LONGEST_RUN_MS) {
        (void)lw_port_watchdog_start(LEAST_WAIT_MS + RUNS_TO_WAIT * run_ms);
    }
}

int main(void)
{
    static lw_smp server;
    uint8_t received[64];
    lw_stack_paint();
    lw_port_init();
    uint32_t start = lw_port_cycles();
    lw_smp_boot(&server);
    start_watchdog(lw_port_cycles() - start);
    for (;;) {
        lw_port_watchdog_feed();
        size_t count = lw_port_read(received, sizeof received);
        if (count == 0u) {
            lw_port_idle();
        }
        lw_smp_receive(&server, received, count);
    }
}
