/* crc.h: the two checks of the link.
 *
 * crc16: CRC-16/XMODEM, x^16 + x^12 + x^5 + 1, initial value 0, not reflected ("123456789" -> 0x31c3).
 * crc32: CRC-32 of zlib and IEEE 802.3 ("123456789" -> 0xcbf43926); continues from `crc`, begin with 0. */
#ifndef LW_CRC_H
#define LW_CRC_H

#include <stddef.h>
#include <stdint.h>

uint16_t lw_crc16(uint16_t crc, const uint8_t *bytes, size_t length);
uint32_t lw_crc32(uint32_t crc, const uint8_t *bytes, size_t length);

#endif /* LW_CRC_H */
