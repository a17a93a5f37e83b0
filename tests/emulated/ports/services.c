/* services.c: in place of the bench firmware's main(): one letter from the serial port asks for one service of a port. */
#include "port.h"

static void say(char text, char more)
{
    const uint8_t line[3] = {(uint8_t)text, (uint8_t)more, '\n'};
    lw_port_write(line, sizeof line);
}

static void fault(void)
{
#if defined(__arm__)
    __asm volatile("udf #0");
#else
    __asm volatile("unimp");
#endif
}

/* Runs out of the reserved stack: 'deep' is never as deep as asked. */
static uint32_t overflow(uint32_t deep)
{
    volatile uint32_t frame[64];
    frame[deep % 64u] = deep;
    return deep == 0u ? 0u : frame[deep % 64u] + overflow(deep - 1u);
}

int main(void)
{
    uint8_t letter;
    lw_port_init();
    say('c', (char)('0' + (int)lw_port_reset_cause()));
    for (;;) {
        while (lw_port_read(&letter, 1) == 0u) {
            lw_port_idle();
            lw_port_watchdog_feed();
        }
        switch (letter) {
        case 'w':
            say('w', lw_port_watchdog_start(300) ? '1' : '0');
            break;
        case 'h':
            for (volatile uint32_t turn = 0;; turn++) {
            }
        case 'f':
            fault();
            break;
        case 's':
            say('s', (char)overflow(0x7fffffffu));
            break;
        case 'r':
            lw_port_reset();
            break;
        case 'm':
            lw_port_marker(true);
            lw_port_marker(false);
            break;
        default:
            break;
        }
        say('d', (char)letter);
    }
}
