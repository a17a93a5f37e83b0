/* sha256.h: SHA-256 (FIPS 180-4) over bytes in parts. */
#ifndef LW_SHA256_H
#define LW_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define LW_SHA256_BYTES 32u

typedef struct {
    uint32_t state[8];
    uint32_t total; /* bytes so far */
    uint8_t block[64];
} lw_sha256;

void lw_sha256_begin(lw_sha256 *hash);
void lw_sha256_add(lw_sha256 *hash, const volatile uint8_t *bytes, size_t length);
void lw_sha256_end(lw_sha256 *hash, uint8_t digest[LW_SHA256_BYTES]);

#endif /* LW_SHA256_H */
