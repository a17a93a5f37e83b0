/* boot_host.c: boot.h on this computer, so that the boot loaders run under sanitizers.
 *
 * Flash, system memory and RAM lie at their addresses; what is next to them is not mapped, so that a stray access ends
 * the program. Standard input is pairs of bytes: 0 and a received byte, or 1 and anything for a time-out. At its end the
 * flash goes to the file named by the second argument. The first is the file of what the flash holds at the start; what is
 * behind its end is erased. "-" stands for no file. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "boot.h"

#define FLASH 0x08000000u
#define FLASH_LENGTH 0x00100000u
#define SYSTEM 0x1fff0000u
#define SYSTEM_LENGTH 0x8000u
#define RAM 0x20000000u
#define RAM_LENGTH 0x20000u
#define OWN_RAM 0x1000u

int loader_main(void);

static const char *left;

static void leave(const char *why)
{
    FILE *file = strcmp(left, "-") == 0 ? NULL : fopen(left, "wb");
    if (file != NULL &&
        (fwrite((void *)(uintptr_t)FLASH, 1, FLASH_LENGTH, file) != FLASH_LENGTH || fclose(file) != 0)) {
        abort();
    }
    printf("\n%s\n", why);
    exit(0);
}

static void map(uint32_t address, uint32_t length, int value)
{
    void *wanted = (void *)(uintptr_t)address;
    void *found = mmap(wanted, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (found != wanted) {
        abort();
    }
    memset(found, value, length);
}

void lw_boot_init(void)
{
}

bool lw_boot_read(uint8_t *byte, uint32_t timeout_ms)
{
    for (;;) {
        int kind = getchar();
        int value = getchar();
        if (kind == EOF || value == EOF) {
            leave("end");
        }
        if (kind == 0) {
            *byte = (uint8_t)value;
            return true;
        }
        if (timeout_ms != 0u) {
            return false;
        }
    }
}

void lw_boot_write(const uint8_t *bytes, size_t length)
{
    (void)fwrite(bytes, 1, length, stdout);
}

uint32_t lw_boot_sector_count(void)
{
    return 12;
}

lw_span lw_boot_sector(uint32_t number)
{
    static const uint32_t kib[12] = {16, 16, 16, 16, 64, 128, 128, 128, 128, 128, 128, 128};
    lw_span sector = {.address = FLASH, .length = kib[number] << 10};
    for (uint32_t i = 0; i < number; i++) {
        sector.address += kib[i] << 10;
    }
    return sector;
}

bool lw_boot_erase(uint32_t sector)
{
    lw_span place = lw_boot_sector(sector);
    memset((void *)(uintptr_t)place.address, 0xff, place.length);
    return true;
}

bool lw_boot_program(uint32_t address, const uint8_t *bytes, size_t length)
{
    if (!lw_within(address, (uint32_t)length, lw_boot_flash())) {
        abort();
    }
    bool done = true;
    for (size_t i = 0; i < length; i++) {
        uint8_t *cell = (uint8_t *)(uintptr_t)(address + i);
        *cell &= bytes[i];
        done = done && *cell == bytes[i];
    }
    return done;
}

lw_span lw_boot_flash(void)
{
    return (lw_span){.address = FLASH, .length = FLASH_LENGTH};
}

lw_span lw_boot_system(void)
{
    return (lw_span){.address = SYSTEM, .length = SYSTEM_LENGTH};
}

lw_span lw_boot_free_ram(void)
{
    return (lw_span){.address = RAM + OWN_RAM, .length = RAM_LENGTH - OWN_RAM};
}

const volatile uint8_t *lw_boot_unique_id(void)
{
    return (const volatile uint8_t *)(uintptr_t)(SYSTEM + 0x7a10u);
}

void lw_boot_start(uint32_t vectors)
{
    char why[32];
    (void)snprintf(why, sizeof why, "start %08x", vectors);
    leave(why);
    abort();
}

void lw_boot_reset(void)
{
    leave("reset");
    abort();
}

int main(int count, char **arguments)
{
    if (count != 3) {
        return 2;
    }
    left = arguments[2];
    map(FLASH, FLASH_LENGTH, 0xff);
    map(SYSTEM, SYSTEM_LENGTH, 0x5a);
    map(RAM, RAM_LENGTH, 0);
    if (strcmp(arguments[1], "-") != 0) {
        FILE *file = fopen(arguments[1], "rb");
        if (file == NULL || fread((void *)(uintptr_t)FLASH, 1, FLASH_LENGTH, file) == 0 || fclose(file) != 0) {
            return 2;
        }
    }
    return loader_main();
}
