/* sha256.c: FIPS 180-4 section 6.2, with its constants and names. */
#include "sha256.h"

static const uint32_t K[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u};

static uint32_t rotr(uint32_t x, uint32_t n)
{
    return (x >> n) | (x << (32u - n));
}

static void process(lw_sha256 *hash)
{
    uint32_t W[64];
    uint32_t v[8];
    for (uint32_t t = 0; t < 16u; t++) {
        const uint8_t *word = hash->block + 4u * t;
        W[t] = ((uint32_t)word[0] << 24) | ((uint32_t)word[1] << 16) | ((uint32_t)word[2] << 8) | word[3];
    }
    for (uint32_t t = 16; t < 64u; t++) {
        uint32_t s0 = rotr(W[t - 15u], 7) ^ rotr(W[t - 15u], 18) ^ (W[t - 15u] >> 3);
        uint32_t s1 = rotr(W[t - 2u], 17) ^ rotr(W[t - 2u], 19) ^ (W[t - 2u] >> 10);
        W[t] = s1 + W[t - 7u] + s0 + W[t - 16u];
    }
    for (uint32_t i = 0; i < 8u; i++) {
        v[i] = hash->state[i];
    }
    for (uint32_t t = 0; t < 64u; t++) {
        uint32_t S1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
        uint32_t T1 = v[7] + S1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[t] + W[t];
        uint32_t S0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
        uint32_t T2 = S0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        for (uint32_t i = 7; i > 0u; i--) {
            v[i] = v[i - 1u];
        }
        v[4] += T1;
        v[0] = T1 + T2;
    }
    for (uint32_t i = 0; i < 8u; i++) {
        hash->state[i] += v[i];
    }
}

static void add_byte(lw_sha256 *hash, uint8_t byte)
{
    hash->block[hash->total % 64u] = byte;
    hash->total++;
    if (hash->total % 64u == 0u) {
        process(hash);
    }
}

void lw_sha256_begin(lw_sha256 *hash)
{
    static const uint32_t H0[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                   0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    for (uint32_t i = 0; i < 8u; i++) {
        hash->state[i] = H0[i];
    }
    hash->total = 0;
}

void lw_sha256_add(lw_sha256 *hash, const volatile uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        add_byte(hash, bytes[i]);
    }
}

void lw_sha256_end(lw_sha256 *hash, uint8_t digest[LW_SHA256_BYTES])
{
    uint64_t bits = (uint64_t)hash->total * 8u;
    add_byte(hash, 0x80);
    while (hash->total % 64u != 56u) {
        add_byte(hash, 0);
    }
    for (uint32_t i = 0; i < 8u; i++) {
        add_byte(hash, (uint8_t)(bits >> (56u - 8u * i)));
    }
    for (uint32_t i = 0; i < LW_SHA256_BYTES; i++) {
        digest[i] = (uint8_t)(hash->state[i / 4u] >> (24u - 8u * (i % 4u)));
    }
}
