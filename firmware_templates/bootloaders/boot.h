/* boot.h: what a boot loader needs from a microcontroller; each folder named like a port implements it.
 *
 * One thread, no interrupts: the serial port is polled. */
#ifndef LW_BOOT_H
#define LW_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LW_UNIQUE_ID_BYTES 12u

typedef struct {
    uint32_t address;
    uint32_t length; /* bytes */
} lw_span;

/* Clocks, serial port (8N1) and time. Called once, first thing in main(). */
void lw_boot_init(void);

/* Waits for a byte, at most `timeout_ms`, 0: for ever. False when none came. */
bool lw_boot_read(uint8_t *byte, uint32_t timeout_ms);

/* Sends all bytes and returns when the last one is on its way. */
void lw_boot_write(const uint8_t *bytes, size_t length);

/* Sectors of the flash, in order of address; the smallest that can be erased. */
uint32_t lw_boot_sector_count(void);
lw_span lw_boot_sector(uint32_t number);

/* Erases a sector, or writes bytes into erased flash. False when the flash reports an error or does not hold the bytes
 * afterwards. */
bool lw_boot_erase(uint32_t sector);
bool lw_boot_program(uint32_t address, const uint8_t *bytes, size_t length);

/* Where a host may read and write: flash, this program's memory (with the chip's numbers), and RAM it does not use. */
lw_span lw_boot_flash(void);
lw_span lw_boot_system(void);
lw_span lw_boot_free_ram(void);

/* The chip's own number, LW_UNIQUE_ID_BYTES long. */
const volatile uint8_t *lw_boot_unique_id(void);

/* Starts the program whose vector table is at `vectors`, with the chip as it is after a reset; does not return. */
__attribute__((noreturn)) void lw_boot_start(uint32_t vectors);
__attribute__((noreturn)) void lw_boot_reset(void);

/* Whether [address, address + length) lies in `span`. */
static inline bool lw_within(uint32_t address, uint32_t length, lw_span span)
{
    return address >= span.address && address - span.address <= span.length &&
           length <= span.length - (address - span.address);
}

#endif /* LW_BOOT_H */
