/* cbor.c: see cbor.h. Iterative, so that no message can make the stack grow. */
#include "cbor.h"

#define MAJOR_UINT 0u
#define MAJOR_BYTES 2u
#define MAJOR_TEXT 3u
#define MAJOR_ARRAY 4u
#define MAJOR_MAP 5u
#define MAJOR_TAG 6u
#define MAJOR_SIMPLE 7u
#define SIMPLE_FALSE 20u
#define SIMPLE_TRUE 21u

typedef struct {
    const uint8_t *next;
    size_t left;
} cursor;

typedef struct {
    uint32_t major;
    uint32_t info; /* low five bits of the first byte */
    uint64_t value;
} head;

static bool read_head(cursor *at, head *item)
{
    if (at->left == 0u) {
        return false;
    }
    item->major = (uint32_t)at->next[0] >> 5;
    item->info = at->next[0] & 31u;
    item->value = item->info;
    uint32_t extra = item->info < 24u ? 0u : item->info > 27u ? 9u : 1u << (item->info - 24u);
    if (extra > 8u || extra >= at->left) { /* 28 to 31: reserved and indefinite lengths */
        return false;
    }
    if (extra != 0u) {
        item->value = 0;
        for (uint32_t i = 1; i <= extra; i++) {
            item->value = (item->value << 8) | at->next[i];
        }
    }
    at->next += 1u + extra;
    at->left -= 1u + extra;
    return true;
}

/* Takes the bytes of a byte or text string. */
static bool read_string(cursor *at, uint64_t length, const uint8_t **bytes)
{
    if (length > at->left) {
        return false;
    }
    *bytes = at->next;
    at->next += (size_t)length;
    at->left -= (size_t)length;
    return true;
}

static bool skip_item(cursor *at)
{
    uint64_t open[LW_CBOR_DEPTH]; /* items still to come, per open array, map or tag; the outer map is one more */
    uint32_t depth = 0;
    do {
        head item;
        const uint8_t *bytes;
        if (!read_head(at, &item)) {
            return false;
        }
        if (item.major == MAJOR_BYTES || item.major == MAJOR_TEXT) {
            if (!read_string(at, item.value, &bytes)) {
                return false;
            }
        } else if (item.major == MAJOR_ARRAY || item.major == MAJOR_MAP || item.major == MAJOR_TAG) {
            uint64_t items = item.major == MAJOR_TAG ? 1u : item.value;
            if (items > at->left || depth == LW_CBOR_DEPTH - 1u) {
                return false;
            }
            if (items != 0u) {
                open[depth] = item.major == MAJOR_MAP ? 2u * items : items;
                depth++;
                continue;
            }
        }
        while (depth != 0u && --open[depth - 1u] == 0u) {
            depth--;
        }
    } while (depth != 0u);
    return true;
}

static bool read_field(cursor *at, lw_cbor_field *field)
{
    head item;
    if (field->present || !read_head(at, &item)) {
        return false;
    }
    field->present = true;
    if (field->type == LW_CBOR_BOOL) {
        field->number = item.info == SIMPLE_TRUE;
        return item.major == MAJOR_SIMPLE && (item.info == SIMPLE_TRUE || item.info == SIMPLE_FALSE);
    }
    if (item.value > UINT32_MAX) {
        return false;
    }
    field->number = (uint32_t)item.value;
    if (field->type == LW_CBOR_UINT) {
        return item.major == MAJOR_UINT;
    }
    return item.major == (field->type == LW_CBOR_BYTES ? MAJOR_BYTES : MAJOR_TEXT) &&
           read_string(at, item.value, &field->bytes);
}

static bool key_is(const char *key, const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (key[i] == '\0' || (uint8_t)key[i] != text[i]) {
            return false;
        }
    }
    return key[length] == '\0';
}

bool lw_cbor_read_map(const uint8_t *data, size_t length, lw_cbor_field *fields, size_t field_count)
{
    cursor at = {data, length};
    head map;
    if (!read_head(&at, &map) || map.major != MAJOR_MAP) {
        return false;
    }
    for (uint64_t pair = 0; pair < map.value; pair++) {
        head key;
        const uint8_t *text;
        if (!read_head(&at, &key) || key.major != MAJOR_TEXT || !read_string(&at, key.value, &text)) {
            return false;
        }
        lw_cbor_field *field = NULL;
        for (size_t i = 0; i < field_count; i++) {
            if (key_is(fields[i].key, text, (size_t)key.value)) {
                field = &fields[i];
            }
        }
        if (!(field != NULL ? read_field(&at, field) : skip_item(&at))) {
            return false;
        }
    }
    return at.left == 0u;
}

static uint8_t *claim(lw_cbor_writer *writer, size_t length)
{
    if (writer->overflow || length > writer->capacity - writer->length) {
        writer->overflow = true;
        return NULL;
    }
    uint8_t *place = writer->data + writer->length;
    writer->length += length;
    return place;
}

static void write_head(lw_cbor_writer *writer, uint32_t major, uint32_t value)
{
    uint32_t extra = value < 24u ? 0u : value <= 0xffu ? 1u : value <= 0xffffu ? 2u : 4u;
    uint32_t info = value < 24u ? value : extra == 1u ? 24u : extra == 2u ? 25u : 26u;
    uint8_t *place = claim(writer, 1u + extra);
    if (place == NULL) {
        return;
    }
    place[0] = (uint8_t)((major << 5) | info);
    for (uint32_t i = 0; i < extra; i++) {
        place[1u + i] = (uint8_t)(value >> (8u * (extra - 1u - i)));
    }
}

static void copy(uint8_t *to, const uint8_t *from, size_t length)
{
    for (size_t i = 0; to != NULL && i < length; i++) {
        to[i] = from[i];
    }
}

void lw_cbor_map(lw_cbor_writer *writer, uint32_t pairs)
{
    write_head(writer, MAJOR_MAP, pairs);
}

void lw_cbor_array(lw_cbor_writer *writer, uint32_t items)
{
    write_head(writer, MAJOR_ARRAY, items);
}

void lw_cbor_uint(lw_cbor_writer *writer, uint32_t value)
{
    write_head(writer, MAJOR_UINT, value);
}

void lw_cbor_bool(lw_cbor_writer *writer, bool value)
{
    write_head(writer, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void lw_cbor_text_bytes(lw_cbor_writer *writer, const uint8_t *text, size_t length)
{
    write_head(writer, MAJOR_TEXT, (uint32_t)length);
    copy(claim(writer, length), text, length);
}

void lw_cbor_text(lw_cbor_writer *writer, const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    lw_cbor_text_bytes(writer, (const uint8_t *)text, length);
}

void lw_cbor_bytes(lw_cbor_writer *writer, const uint8_t *bytes, size_t length)
{
    write_head(writer, MAJOR_BYTES, (uint32_t)length);
    copy(claim(writer, length), bytes, length);
}

uint8_t *lw_cbor_reserve(lw_cbor_writer *writer, size_t length)
{
    write_head(writer, MAJOR_BYTES, (uint32_t)length);
    return claim(writer, length);
}
