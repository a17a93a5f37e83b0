/* main.c: the firmware with the protocol of MLPerf Tiny: prepares the model, then answers its runner for ever. */
#include "port.h"
#include "session.h"
#include "stack.h"

int main(void)
{
    static lw_session session;
    uint8_t received[64];
    lw_stack_paint();
    lw_port_init();
    lw_session_boot(&session);
    for (;;) {
        size_t count = lw_port_read(received, sizeof received);
        if (count == 0u) {
            lw_port_idle();
        }
        lw_session_receive(&session, received, count);
    }
}
