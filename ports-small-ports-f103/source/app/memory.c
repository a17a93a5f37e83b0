/* memory.c: the four functions that a C compiler may call on its own, so that no C library is linked.
 * A word at a time where the addresses allow it. */
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns") /* or these loops become calls of themselves */
#endif

typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *one, const void *other, size_t length);

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    uint8_t *destination = to;
    const uint8_t *source = from;
    size_t i = 0;
    if ((((uintptr_t)destination | (uintptr_t)source) & 3u) == 0u) {
        for (; i + 4u <= length; i += 4u) {
            *(word *)(void *)(destination + i) = *(const word *)(const void *)(source + i);
        }
    }
    for (; i < length; i++) {
        destination[i] = source[i];
    }
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *destination = to;
    const uint8_t *source = from;
    if ((uintptr_t)destination < (uintptr_t)source) {
        for (size_t i = 0; i < length; i++) {
            destination[i] = source[i];
        }
    } else {
        for (size_t i = length; i > 0u; i--) {
            destination[i - 1u] = source[i - 1u];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t length)
{
    uint8_t *destination = to;
    size_t i = 0;
    if (((uintptr_t)destination & 3u) == 0u) {
        for (; i + 4u <= length; i += 4u) {
            *(word *)(void *)(destination + i) = (uint32_t)(uint8_t)value * 0x01010101u;
        }
    }
    for (; i < length; i++) {
        destination[i] = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t length)
{
    const uint8_t *left = one;
    const uint8_t *right = other;
    for (size_t i = 0; i < length; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}
