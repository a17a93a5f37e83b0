/* crc.c: both CRCs half a byte at a time: 16 table entries, a few instructions a byte. */
#include "crc.h"

static const uint16_t crc16_of_nibble[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
                                             0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};

static const uint32_t crc32_of_nibble[16] = {
    0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
    0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};

uint16_t lw_crc16(uint16_t crc, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        crc = (uint16_t)((uint32_t)crc << 4) ^ crc16_of_nibble[(crc >> 12) ^ (bytes[i] >> 4)];
        crc = (uint16_t)((uint32_t)crc << 4) ^ crc16_of_nibble[(crc >> 12) ^ (bytes[i] & 15u)];
    }
    return crc;
}

uint32_t lw_crc32(uint32_t crc, const uint8_t *bytes, size_t length)
{
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ crc32_of_nibble[crc & 15u];
        crc = (crc >> 4) ^ crc32_of_nibble[crc & 15u];
    }
    return ~crc;
}
