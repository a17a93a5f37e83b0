/* image.c: see image.h. Nothing in the flash is trusted: every length is checked against the slot before it is used. */
#include "image.h"

#define HEADER_MAGIC 0x96f3b83du
#define HEADER_BYTES 32u
#define TLV_MAGIC 0x6907u
#define PROTECTED_TLV_MAGIC 0x6908u
#define TLV_HEAD_BYTES 4u
#define TLV_SHA256 0x10u
#define FLAGS_NOT_STARTED_HERE 0x0000003cu /* encrypted (two kinds), not bootable, loaded into RAM */
#define VECTOR_BYTES 8u

static uint32_t number(uint32_t address, uint32_t bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        value |= (uint32_t)*(const volatile uint8_t *)(uintptr_t)(address + i) << (8u * i);
    }
    return value;
}

/* Length of a TLV area that begins at `offset` with `magic`, 0 where there is none within the slot. */
static uint32_t tlv_length(lw_span slot, uint32_t offset, uint32_t magic)
{
    if (offset > slot.length || slot.length - offset < TLV_HEAD_BYTES || number(slot.address + offset, 2) != magic) {
        return 0;
    }
    uint32_t length = number(slot.address + offset + 2u, 2);
    return length >= TLV_HEAD_BYTES && length <= slot.length - offset ? length : 0u;
}

/* Offset of the only SHA-256 entry, 0 where there is not exactly one or the entries do not fill the area. */
static uint32_t find_digest(lw_span slot, uint32_t offset, uint32_t length)
{
    uint32_t end = offset + length;
    uint32_t found = 0;
    offset += TLV_HEAD_BYTES;
    while (end - offset >= TLV_HEAD_BYTES) {
        uint32_t kind = number(slot.address + offset, 2);
        uint32_t bytes = number(slot.address + offset + 2u, 2);
        offset += TLV_HEAD_BYTES;
        if (bytes > end - offset) {
            return 0;
        }
        if (kind == TLV_SHA256) {
            if (found != 0u || bytes != LW_SHA256_BYTES) {
                return 0;
            }
            found = offset;
        }
        offset += bytes;
    }
    return offset == end ? found : 0u;
}

static bool starts(lw_image *image, lw_span slot, uint32_t header, uint32_t size)
{
    image->vectors = slot.address + header;
    if (size < VECTOR_BYTES || (image->vectors & 0x1ffu) != 0u) {
        return false;
    }
    uint32_t entry = number(image->vectors + 4u, 4);
    return (entry & 1u) != 0u && entry - 1u >= image->vectors && entry - 1u - image->vectors < size;
}

lw_image lw_image_examine(lw_span slot)
{
    lw_image image = {.valid = false};
    if (number(slot.address, 4) != HEADER_MAGIC) {
        return image;
    }
    uint32_t header = number(slot.address + 8u, 2);
    uint32_t protected_bytes = number(slot.address + 10u, 2);
    uint32_t size = number(slot.address + 12u, 4);
    if (header < HEADER_BYTES || size > slot.length - header ||
        (number(slot.address + 16u, 4) & FLAGS_NOT_STARTED_HERE) != 0u) {
        return image;
    }
    uint32_t hashed = header + size;
    if (protected_bytes != 0u) {
        if (tlv_length(slot, hashed, PROTECTED_TLV_MAGIC) != protected_bytes) {
            return image;
        }
        hashed += protected_bytes;
    }
    uint32_t trailer = tlv_length(slot, hashed, TLV_MAGIC);
    uint32_t place = trailer == 0u ? 0u : find_digest(slot, hashed, trailer);
    if (place == 0u || !starts(&image, slot, header, size)) {
        return image;
    }
    lw_sha256 hash;
    lw_sha256_begin(&hash);
    lw_sha256_add(&hash, (const volatile uint8_t *)(uintptr_t)slot.address, hashed);
    lw_sha256_end(&hash, image.digest);
    image.valid = true;
    for (uint32_t i = 0; i < LW_SHA256_BYTES; i++) {
        image.valid = image.valid && number(slot.address + place + i, 1) == image.digest[i];
    }
    image.major = number(slot.address + 20u, 1);
    image.minor = number(slot.address + 21u, 1);
    image.revision = number(slot.address + 22u, 2);
    image.build = number(slot.address + 24u, 4);
    return image;
}
