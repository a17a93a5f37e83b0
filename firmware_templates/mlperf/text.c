/* text.c: see text.h.
 *
 * lw_decimal: a finite double is m * 2^e with a whole m < 2^53. For e < 0 the thousandths are m * 1000 / 2^-e, below 2^63
 * before the division, so one shift rounds them exactly. For e >= 0 the value is whole: up to 1024 bits, divided by 10^9
 * again and again. */
#include "text.h"

#include <stdbool.h>

#include "port.h"

#define MANTISSA_BITS 52u
#define MANTISSA_MASK ((UINT64_C(1) << MANTISSA_BITS) - 1u)
#define EXPONENT_MASK 0x7ffu
#define EXPONENT_BIAS 1075 /* of a whole mantissa: 1023 + 52 */
#define WORDS 32u          /* 1024 bits */
#define PART 1000000000u   /* nine digits at a time */
#define PARTS 35u

static size_t put_word(char *text, const char *word)
{
    size_t length = 0;
    for (; word[length] != '\0'; length++) {
        text[length] = word[length];
    }
    text[length] = '\0';
    return length;
}

/* The digits of `value`, at least `width` of them. */
static size_t put_digits(char *text, uint64_t value, size_t width)
{
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count] = (char)('0' + (int)(value % 10u));
        count++;
        value /= 10u;
    } while (value != 0u || count < width);
    for (size_t i = 0; i < count; i++) {
        text[i] = reversed[count - 1u - i];
    }
    text[count] = '\0';
    return count;
}

/* mantissa * 2^exponent, exponent from 0 to 971. */
static size_t put_whole(char *text, uint64_t mantissa, uint32_t exponent)
{
    uint32_t words[WORDS + 2u] = {0};
    uint32_t parts[PARTS];
    uint32_t first = exponent / 32u;
    uint32_t shift = exponent % 32u;
    size_t count = 0;
    words[first] = (uint32_t)(mantissa << shift);
    words[first + 1u] = (uint32_t)(mantissa >> (32u - shift));
    words[first + 2u] = shift == 0u ? 0u : (uint32_t)((mantissa >> 32) >> (32u - shift));
    bool more = true;
    while (more) {
        uint64_t rest = 0;
        more = false;
        for (size_t i = WORDS + 2u; i > 0u; i--) {
            uint64_t value = (rest << 32) | words[i - 1u];
            words[i - 1u] = (uint32_t)(value / PART);
            rest = value % PART;
            more = more || words[i - 1u] != 0u;
        }
        parts[count] = (uint32_t)rest;
        count++;
    }
    size_t length = put_digits(text, parts[count - 1u], 1);
    for (size_t i = count - 1u; i > 0u; i--) {
        length += put_digits(text + length, parts[i - 1u], 9);
    }
    return length;
}

size_t lw_decimal(double value, char text[LW_DECIMAL_BYTES])
{
    union {
        double value;
        uint64_t bits;
    } cell = {.value = value};
    uint64_t mantissa = cell.bits & MANTISSA_MASK;
    uint32_t exponent = (uint32_t)(cell.bits >> MANTISSA_BITS) & EXPONENT_MASK;
    size_t length = (cell.bits >> 63) != 0u ? put_word(text, "-") : 0u;
    if (exponent == EXPONENT_MASK) {
        return mantissa == 0u ? length + put_word(text + length, "inf") : put_word(text, "nan");
    }
    if (exponent == 0u) {
        exponent = 1; /* subnormal: no hidden bit */
    } else {
        mantissa |= UINT64_C(1) << MANTISSA_BITS;
    }
    if (exponent >= (uint32_t)EXPONENT_BIAS) {
        length += put_whole(text + length, mantissa, exponent - (uint32_t)EXPONENT_BIAS);
        return length + put_word(text + length, ".000");
    }
    uint32_t shift = (uint32_t)EXPONENT_BIAS - exponent;
    uint64_t thousandths = 0;
    if (shift < 64u) { /* else below one half */
        uint64_t scaled = mantissa * 1000u;
        uint64_t rest = scaled & ((UINT64_C(1) << shift) - 1u);
        uint64_t half = UINT64_C(1) << (shift - 1u);
        thousandths = scaled >> shift;
        if (rest > half || (rest == half && (thousandths & 1u) != 0u)) {
            thousandths++;
        }
    }
    length += put_digits(text + length, thousandths / 1000u, 1);
    length += put_word(text + length, ".");
    return length + put_digits(text + length, thousandths % 1000u, 3);
}

size_t lw_unsigned(uint64_t value, char text[LW_UNSIGNED_BYTES])
{
    return put_digits(text, value, 1);
}

void lw_say_bytes(const char *bytes, size_t length)
{
    lw_port_write((const uint8_t *)bytes, length);
}

void lw_say(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    lw_say_bytes(text, length);
}

void lw_say_unsigned(uint64_t value)
{
    char text[LW_UNSIGNED_BYTES];
    lw_say_bytes(text, lw_unsigned(value, text));
}

void lw_say_decimal(double value)
{
    char text[LW_DECIMAL_BYTES];
    lw_say_bytes(text, lw_decimal(value, text));
}

void lw_say_hex(const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15u]};
        lw_say_bytes(pair, sizeof pair);
    }
}
