/* cbor.h: as much of CBOR (RFC 8949) as the link needs, over fixed buffers.
 *
 * Reader: one map with text keys into a table of expected fields; unknown keys are skipped. Definite lengths only,
 * depth at most LW_CBOR_DEPTH. Writer: shortest form of every head, as RFC 8949 section 4.2.1 asks for. */
#ifndef LW_CBOR_H
#define LW_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LW_CBOR_DEPTH 3u

typedef enum { LW_CBOR_UINT, LW_CBOR_BYTES, LW_CBOR_TEXT, LW_CBOR_BOOL } lw_cbor_type;

typedef struct {
    const char *key;
    lw_cbor_type type;
    bool present;
    uint32_t number;      /* value of UINT and BOOL, length of BYTES and TEXT */
    const uint8_t *bytes; /* BYTES and TEXT, inside the message */
} lw_cbor_field;

/* False, and then no field may be used, unless `data` is exactly one well-formed map in which every expected key comes
 * at most once and with its type. Numbers are unsigned and below 2^32. */
bool lw_cbor_read_map(const uint8_t *data, size_t length, lw_cbor_field *fields, size_t field_count);

typedef struct {
    uint8_t *data;
    size_t capacity;
    size_t length;
    bool overflow; /* something did not fit: the message must not be sent */
} lw_cbor_writer;

void lw_cbor_map(lw_cbor_writer *writer, uint32_t pairs);
void lw_cbor_array(lw_cbor_writer *writer, uint32_t items);
void lw_cbor_uint(lw_cbor_writer *writer, uint32_t value);
void lw_cbor_bool(lw_cbor_writer *writer, bool value);
void lw_cbor_text(lw_cbor_writer *writer, const char *text);
void lw_cbor_text_bytes(lw_cbor_writer *writer, const uint8_t *text, size_t length);
void lw_cbor_bytes(lw_cbor_writer *writer, const uint8_t *bytes, size_t length);

/* A byte string whose `length` bytes the caller writes to the place returned; NULL when it does not fit. */
uint8_t *lw_cbor_reserve(lw_cbor_writer *writer, size_t length);

#endif /* LW_CBOR_H */
