/* flash.c: erasing and programming, RM0090 sections 3.6.3 to 3.6.5. Every wait ends: BSY is cleared by the hardware. */
#include "flash.h"

#include "boot.h"

static bool finish(void)
{
    while ((FLASH_SR & FLASH_SR_BSY) != 0u) {
    }
    bool failed = (FLASH_SR & FLASH_SR_ERRORS) != 0u;
    FLASH_CR = 0;
    FLASH_CR = FLASH_CR_LOCK;
    return !failed;
}

static void begin(uint32_t control)
{
    if ((FLASH_CR & FLASH_CR_LOCK) != 0u) {
        FLASH_KEYR = FLASH_KEY_1;
        FLASH_KEYR = FLASH_KEY_2;
    }
    FLASH_SR = FLASH_SR_ERRORS;
    FLASH_CR = control;
}

uint32_t lw_boot_sector_count(void)
{
    return SECTOR_COUNT;
}

lw_span lw_boot_sector(uint32_t number)
{
    if (number < 4u) {
        return (lw_span){.address = FLASH_ORIGIN + (number << 14), .length = 1u << 14};
    }
    if (number == 4u) {
        return (lw_span){.address = FLASH_ORIGIN + (1u << 16), .length = 1u << 16};
    }
    return (lw_span){.address = FLASH_ORIGIN + ((number - 4u) << 17), .length = 1u << 17};
}

bool lw_boot_erase(uint32_t sector)
{
    lw_span place = lw_boot_sector(sector);
    begin(FLASH_CR_SER | FLASH_CR_BY_32 | FLASH_CR_SECTOR(sector));
    FLASH_CR = FLASH_CR_SER | FLASH_CR_BY_32 | FLASH_CR_SECTOR(sector) | FLASH_CR_STRT;
    bool done = finish();
    for (uint32_t at = 0; done && at < place.length; at += 4u) {
        done = LW_REGISTER(place.address + at) == 0xffffffffu;
    }
    return done;
}

bool lw_boot_program(uint32_t address, const uint8_t *bytes, size_t length)
{
    bool words = ((address | length) & 3u) == 0u;
    begin(FLASH_CR_PG | (words ? FLASH_CR_BY_32 : FLASH_CR_BY_8));
    for (size_t i = 0; i < length; i += words ? 4u : 1u) {
        if (words) {
            uint32_t low = (uint32_t)bytes[i] | ((uint32_t)bytes[i + 1u] << 8);
            LW_REGISTER(address + i) = low | ((uint32_t)bytes[i + 2u] << 16) | ((uint32_t)bytes[i + 3u] << 24);
        } else {
            *(volatile uint8_t *)(uintptr_t)(address + i) = bytes[i];
        }
        while ((FLASH_SR & FLASH_SR_BSY) != 0u) {
        }
    }
    bool done = finish();
    for (size_t i = 0; done && i < length; i++) {
        done = *(const volatile uint8_t *)(uintptr_t)(address + i) == bytes[i];
    }
    return done;
}
