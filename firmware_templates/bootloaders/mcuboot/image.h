/* image.h: MCUboot's image format: a header, the program, and a trailer of type-length-value entries (TLV) of which one
 * is the SHA-256 over header and program. */
#ifndef LW_IMAGE_H
#define LW_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "boot.h"
#include "sha256.h"

typedef struct {
    bool valid;       /* everything below holds only then */
    uint32_t vectors; /* where the program's vector table is */
    uint32_t major;
    uint32_t minor;
    uint32_t revision;
    uint32_t build;
    uint8_t digest[LW_SHA256_BYTES];
} lw_image;

/* Examines what lies in the slot, down to its digest. */
lw_image lw_image_examine(lw_span slot);

#endif /* LW_IMAGE_H */
