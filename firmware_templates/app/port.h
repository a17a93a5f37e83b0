/* port.h: what the bench firmware needs from a microcontroller; each folder of ports/ implements it.
 *
 * The app is the only caller, from one thread; a port may use interrupts for reception. */
#ifndef LW_PORT_H
#define LW_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Clocks, serial port (8N1) and cycle counter. Called once, first thing in main(). */
void lw_port_init(void);

/* Takes up to `capacity` received bytes without waiting; 0 when there are none. */
size_t lw_port_read(uint8_t *bytes, size_t capacity);

/* Sends all bytes and returns when the last one is on its way. */
void lw_port_write(const uint8_t *bytes, size_t length);

/* Sleeps until a byte arrives; returns at once when one has arrived since the last lw_port_read(). */
void lw_port_idle(void);

/* A free-running counter of 32 bits that wraps, its frequency and its name as `describe` answers them. */
uint32_t lw_port_cycles(void);
uint32_t lw_port_cycles_hz(void);
const char *lw_port_cycles_name(void);

/* The chip's own number; returns its length in bytes, at most `capacity`, 0 where the chip has none. */
size_t lw_port_unique_id(uint8_t *bytes, size_t capacity);

/* The memory reserved for the main stack: lowest address, and one past the highest. */
uint32_t *lw_port_stack_bottom(void);
uint32_t *lw_port_stack_top(void);

/* Restarts the chip; does not return. */
void lw_port_reset(void);

#endif /* LW_PORT_H */
