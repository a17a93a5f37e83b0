/* strcmp and strncmp: the difference of the first bytes that differ, as unsigned char (C99 7.21.4). */
#include <stddef.h>

int lw_strcmp(const char *one, const char *other) __asm__("strcmp");
int lw_strncmp(const char *one, const char *other, size_t count) __asm__("strncmp");

int lw_strcmp(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return (int)(unsigned char)*one - (int)(unsigned char)*other;
}

int lw_strncmp(const char *one, const char *other, size_t count)
{
    for (; count > 0u; count--, one++, other++) {
        if (*one != *other || *one == '\0') {
            return (int)(unsigned char)*one - (int)(unsigned char)*other;
        }
    }
    return 0;
}
