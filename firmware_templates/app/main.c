/* main.c: the bench firmware: prepares the model, then answers the link for ever. */
#include "port.h"
#include "smp.h"
#include "stack.h"

int main(void)
{
    static lw_smp server;
    uint8_t received[64];
    lw_stack_paint();
    lw_port_init();
    lw_smp_boot(&server);
    for (;;) {
        size_t count = lw_port_read(received, sizeof received);
        if (count == 0u) {
            lw_port_idle();
        }
        lw_smp_receive(&server, received, count);
    }
}
