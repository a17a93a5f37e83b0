/* correct.h: Reed-Solomon over GF(256): up to LW_CORRECTABLE wrong bytes of a block are found and put right.
 *
 * Field polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), generator (x - 1)(x - a)...(x - a^5) with a = 2, the block's first
 * byte the highest power: RS(255, 249), shortened to any length up to 255. More wrong bytes are mostly noticed and
 * sometimes "corrected" to another block: a CRC has to follow. */
#ifndef LW_CORRECT_H
#define LW_CORRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LW_PARITY_BYTES 6u
#define LW_CORRECTABLE 3u

/* Writes the parity of `length` - LW_PARITY_BYTES bytes behind them. */
void lw_correct_encode(uint8_t *block, size_t length);

/* Puts the block right; false, and the block as it was, where it cannot. */
bool lw_correct(uint8_t *block, size_t length);

#endif /* LW_CORRECT_H */
