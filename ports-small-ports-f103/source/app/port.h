/* port.h: what the bench firmware needs from a microcontroller; each folder of ports/ implements it.
 *
 * The app is the only caller, from one thread. cores/ has what all chips with one kind of core have in common, serial.c
 * the rings of the serial port: docs/manual/firmware.md says what is left for a port to do. */
#ifndef LW_PORT_H
#define LW_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clocks, serial port (8N1) and cycle counter. Called once, first thing in main(). */
void lw_port_init(void);

/* Takes up to `capacity` received bytes without waiting; 0 when there are none. */
size_t lw_port_read(uint8_t *bytes, size_t capacity);

/* Returns when all bytes are sent or wait in the port's buffer, whose interrupt sends them. */
void lw_port_write(const uint8_t *bytes, size_t length);

/* Returns when everything written has left, so that nothing interrupts what is measured next. */
void lw_port_drain(void);

/* Sleeps until a byte arrives; returns at once when one has arrived since the last lw_port_read(). Where the watchdog
 * runs it returns after a tenth of a second or so, so that the caller can feed it. */
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

/* Why the chip last started, the same answer until it starts again. The numbers are those that `describe` answers. */
typedef enum {
    LW_RESET_UNKNOWN = 0, /* power-on, or nobody knows */
    LW_RESET_SOFTWARE = 1, /* lw_port_reset() */
    LW_RESET_WATCHDOG = 2,
    LW_RESET_PIN = 3,
    LW_RESET_FAULT = 4 /* a fault handler restarted it */
} lw_reset_cause;
lw_reset_cause lw_port_reset_cause(void);

/* From now on the chip restarts when lw_port_watchdog_feed() is not called for `timeout_ms`, or somewhat longer: never
 * sooner, but for the longest time that the watchdog can wait. Returns false, and does nothing, where there is none;
 * once started it cannot be stopped. Feeding one that was not started does nothing. */
bool lw_port_watchdog_start(uint32_t timeout_ms);
void lw_port_watchdog_feed(void);

/* Drives the pin that a power meter looks at: high while an inference runs. The port's README names the pin. */
void lw_port_marker(bool on);

#endif /* LW_PORT_H */
