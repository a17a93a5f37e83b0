/* flash.h: the flash interface of the STM32F405 (ST RM0090 section 3.9) and its lay-out (table 5). */
#ifndef LW_STM32F4_FLASH_H
#define LW_STM32F4_FLASH_H

#include "registers.h"

#define FLASH_KEYR LW_REGISTER(0x40023c04u)
#define FLASH_SR LW_REGISTER(0x40023c0cu)
#define FLASH_CR LW_REGISTER(0x40023c10u)
#define FLASH_KEY_1 0x45670123u
#define FLASH_KEY_2 0xcdef89abu
#define FLASH_SR_ERRORS 0x000000f2u /* OPERR, WRPERR, PGAERR, PGPERR, PGSERR: written as ones to clear */
#define FLASH_SR_BSY (1u << 16)
#define FLASH_CR_PG (1u << 0)
#define FLASH_CR_SER (1u << 1)
#define FLASH_CR_SECTOR(number) ((number) << 3)
#define FLASH_CR_BY_8 (0u << 8)
#define FLASH_CR_BY_32 (2u << 8) /* needs a supply of 2.7 V or more */
#define FLASH_CR_STRT (1u << 16)
#define FLASH_CR_LOCK (1u << 31)

#define FLASH_ORIGIN 0x08000000u
#define FLASH_BYTES 0x00100000u
#define SECTOR_COUNT 12u
#define SYSTEM_ORIGIN 0x1fff0000u
#define SYSTEM_BYTES 0x00008000u
#define SRAM_END 0x20020000u

#endif /* LW_STM32F4_FLASH_H */
