/* correct.c: see correct.h. Syndromes, Berlekamp-Massey, search for the roots, Forney (Blahut, "Algebraic Codes for Data
 * Transmission", chapter 7). */
#include "correct.h"

#define ORDER 255u /* of the field's multiplicative group */

/* power[i] = 2^i, logarithm[2^i] = i; logarithm[0] is never used. */
static const uint8_t power[255] = {
    1, 2, 4, 8, 16, 32, 64, 128, 29, 58, 116, 232, 205, 135, 19, 38, 76, 152, 45, 90, 180, 117, 234, 201, 143, 3, 6,
    12, 24, 48, 96, 192, 157, 39, 78, 156, 37, 74, 148, 53, 106, 212, 181, 119, 238, 193, 159, 35, 70, 140, 5, 10, 20,
    40, 80, 160, 93, 186, 105, 210, 185, 111, 222, 161, 95, 190, 97, 194, 153, 47, 94, 188, 101, 202, 137, 15, 30, 60,
    120, 240, 253, 231, 211, 187, 107, 214, 177, 127, 254, 225, 223, 163, 91, 182, 113, 226, 217, 175, 67, 134, 17,
    34, 68, 136, 13, 26, 52, 104, 208, 189, 103, 206, 129, 31, 62, 124, 248, 237, 199, 147, 59, 118, 236, 197, 151,
    51, 102, 204, 133, 23, 46, 92, 184, 109, 218, 169, 79, 158, 33, 66, 132, 21, 42, 84, 168, 77, 154, 41, 82, 164,
    85, 170, 73, 146, 57, 114, 228, 213, 183, 115, 230, 209, 191, 99, 198, 145, 63, 126, 252, 229, 215, 179, 123, 246,
    241, 255, 227, 219, 171, 75, 150, 49, 98, 196, 149, 55, 110, 220, 165, 87, 174, 65, 130, 25, 50, 100, 200, 141, 7,
    14, 28, 56, 112, 224, 221, 167, 83, 166, 81, 162, 89, 178, 121, 242, 249, 239, 195, 155, 43, 86, 172, 69, 138, 9,
    18, 36, 72, 144, 61, 122, 244, 245, 247, 243, 251, 235, 203, 139, 11, 22, 44, 88, 176, 125, 250, 233, 207, 131,
    27, 54, 108, 216, 173, 71, 142,
};
static const uint8_t logarithm[256] = {
    0, 0, 1, 25, 2, 50, 26, 198, 3, 223, 51, 238, 27, 104, 199, 75, 4, 100, 224, 14, 52, 141, 239, 129, 28, 193, 105,
    248, 200, 8, 76, 113, 5, 138, 101, 47, 225, 36, 15, 33, 53, 147, 142, 218, 240, 18, 130, 69, 29, 181, 194, 125,
    106, 39, 249, 185, 201, 154, 9, 120, 77, 228, 114, 166, 6, 191, 139, 98, 102, 221, 48, 253, 226, 152, 37, 179, 16,
    145, 34, 136, 54, 208, 148, 206, 143, 150, 219, 189, 241, 210, 19, 92, 131, 56, 70, 64, 30, 66, 182, 163, 195, 72,
    126, 110, 107, 58, 40, 84, 250, 133, 186, 61, 202, 94, 155, 159, 10, 21, 121, 43, 78, 212, 229, 172, 115, 243,
    167, 87, 7, 112, 192, 247, 140, 128, 99, 13, 103, 74, 222, 237, 49, 197, 254, 24, 227, 165, 153, 119, 38, 184,
    180, 124, 17, 68, 146, 217, 35, 32, 137, 46, 55, 63, 209, 91, 149, 188, 207, 205, 144, 135, 151, 178, 220, 252,
    190, 97, 242, 86, 211, 171, 20, 42, 93, 158, 132, 60, 57, 83, 71, 109, 65, 162, 31, 45, 67, 216, 183, 123, 164,
    118, 196, 23, 73, 236, 127, 12, 111, 246, 108, 161, 59, 82, 41, 157, 85, 170, 251, 96, 134, 177, 187, 204, 62, 90,
    203, 89, 95, 176, 156, 169, 160, 81, 11, 245, 22, 235, 122, 117, 44, 215, 79, 174, 213, 233, 230, 231, 173, 232,
    116, 214, 244, 234, 168, 80, 88, 175,
};

/* The generator without its leading 1, highest power first. */
static const uint8_t generator[LW_PARITY_BYTES] = {63, 1, 218, 32, 227, 38};

static uint8_t times(uint8_t a, uint8_t b)
{
    if (a == 0u || b == 0u) {
        return 0;
    }
    uint32_t sum = (uint32_t)logarithm[a] + logarithm[b];
    return power[sum < ORDER ? sum : sum - ORDER];
}

/* `a` times 2^`exponent`, for exponents below ORDER. */
static uint8_t shifted(uint8_t a, uint32_t exponent)
{
    if (a == 0u) {
        return 0;
    }
    uint32_t sum = logarithm[a] + exponent;
    return power[sum < ORDER ? sum : sum - ORDER];
}

static uint8_t inverse(uint8_t a)
{
    return power[a == 1u ? 0u : ORDER - logarithm[a]];
}

/* The polynomial with `count` coefficients, lowest first, at 2^`exponent`. */
static uint8_t value_at(const uint8_t *coefficients, uint32_t count, uint32_t exponent)
{
    uint8_t sum = 0;
    for (uint32_t i = count; i > 0u; i--) {
        sum = (uint8_t)(shifted(sum, exponent) ^ coefficients[i - 1u]);
    }
    return sum;
}

void lw_correct_encode(uint8_t *block, size_t length)
{
    uint8_t *parity = block + length - LW_PARITY_BYTES;
    for (uint32_t k = 0; k < LW_PARITY_BYTES; k++) {
        parity[k] = 0;
    }
    for (size_t i = 0; i < length - LW_PARITY_BYTES; i++) {
        uint8_t lead = block[i] ^ parity[0];
        for (uint32_t k = 0; k + 1u < LW_PARITY_BYTES; k++) {
            parity[k] = parity[k + 1u] ^ times(lead, generator[k]);
        }
        parity[LW_PARITY_BYTES - 1u] = times(lead, generator[LW_PARITY_BYTES - 1u]);
    }
}

/* False when all are zero: a block without error. */
static bool find_syndromes(const uint8_t *block, size_t length, uint8_t syndromes[LW_PARITY_BYTES])
{
    uint8_t any = 0;
    for (uint32_t k = 0; k < LW_PARITY_BYTES; k++) {
        uint8_t sum = 0;
        for (size_t i = 0; i < length; i++) {
            sum = (uint8_t)(shifted(sum, k) ^ block[i]);
        }
        syndromes[k] = sum;
        any |= sum;
    }
    return any != 0u;
}

/* The shortest recurrence of the syndromes; returns its length, which is the number of errors. */
static uint32_t find_locator(const uint8_t syndromes[LW_PARITY_BYTES], uint8_t locator[LW_PARITY_BYTES + 1u])
{
    uint8_t before[LW_PARITY_BYTES + 1u] = {1};
    uint8_t last = 1;
    uint32_t errors = 0;
    uint32_t since = 1;
    for (uint32_t i = 0; i <= LW_PARITY_BYTES; i++) {
        locator[i] = i == 0u;
    }
    for (uint32_t n = 0; n < LW_PARITY_BYTES; n++) {
        uint8_t discrepancy = syndromes[n];
        for (uint32_t i = 1; i <= errors; i++) {
            discrepancy ^= times(locator[i], syndromes[n - i]);
        }
        if (discrepancy == 0u) {
            since++;
            continue;
        }
        uint8_t saved[LW_PARITY_BYTES + 1u];
        uint8_t factor = times(discrepancy, inverse(last));
        for (uint32_t i = 0; i <= LW_PARITY_BYTES; i++) {
            saved[i] = locator[i];
        }
        for (uint32_t i = since; i <= LW_PARITY_BYTES; i++) {
            locator[i] ^= times(factor, before[i - since]);
        }
        if (2u * errors <= n) {
            errors = n + 1u - errors;
            last = discrepancy;
            since = 1;
            for (uint32_t i = 0; i <= LW_PARITY_BYTES; i++) {
                before[i] = saved[i];
            }
        } else {
            since++;
        }
    }
    return errors;
}

bool lw_correct(uint8_t *block, size_t length)
{
    uint8_t syndromes[LW_PARITY_BYTES];
    uint8_t locator[LW_PARITY_BYTES + 1u];
    uint8_t evaluator[LW_CORRECTABLE];
    uint8_t places[LW_CORRECTABLE];
    uint8_t values[LW_CORRECTABLE];
    uint32_t found = 0;
    if (!find_syndromes(block, length, syndromes)) {
        return true;
    }
    uint32_t errors = find_locator(syndromes, locator);
    if (errors == 0u || errors > LW_CORRECTABLE) {
        return false;
    }
    for (uint32_t k = 0; k < LW_CORRECTABLE; k++) {
        evaluator[k] = 0;
        for (uint32_t i = 0; i <= k; i++) {
            evaluator[k] ^= times(locator[i], syndromes[k - i]);
        }
    }
    for (uint32_t place = 0; place < length; place++) {
        uint32_t inverted = place == 0u ? 0u : ORDER - place; /* exponent of 1 / 2^place */
        if (value_at(locator, errors + 1u, inverted) != 0u) {
            continue;
        }
        /* The formal derivative has the odd coefficients: locator[1] + locator[3] x^2. */
        uint8_t slope = locator[1] ^ shifted(shifted(locator[3], inverted), inverted);
        if (found == errors || slope == 0u) {
            return false;
        }
        places[found] = (uint8_t)place;
        values[found] = times(shifted(value_at(evaluator, LW_CORRECTABLE, inverted), place), inverse(slope));
        found++;
    }
    if (found != errors) {
        return false;
    }
    for (uint32_t i = 0; i < found; i++) {
        block[length - 1u - places[i]] ^= values[i];
    }
    return true;
}
