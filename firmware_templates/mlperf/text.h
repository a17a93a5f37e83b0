/* text.h: numbers as text and lines out of the serial port, without stdio. */
#ifndef LW_MLPERF_TEXT_H
#define LW_MLPERF_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define LW_DECIMAL_BYTES 320u /* the longest lw_decimal() and its ending zero: a sign, 309 digits, ".000" */
#define LW_UNSIGNED_BYTES 21u /* the longest lw_unsigned() and its ending zero */

/* `value` rounded to three decimals, ties to even on its exact binary value: what printf("%.3f") of a correct C library
 * writes, "inf" and "nan" included. Returns the length; `text` ends with a zero. */
size_t lw_decimal(double value, char text[LW_DECIMAL_BYTES]);

size_t lw_unsigned(uint64_t value, char text[LW_UNSIGNED_BYTES]);

/* Sends text as it is. */
void lw_say(const char *text);
void lw_say_bytes(const char *bytes, size_t length);
void lw_say_unsigned(uint64_t value);
void lw_say_decimal(double value);
void lw_say_hex(const uint8_t *bytes, size_t length); /* lower case, two digits each */

#endif /* LW_MLPERF_TEXT_H */
