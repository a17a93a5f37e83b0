/* frame.c: see frame.h. A fault drops the packet and waits for the next first line; nothing is answered, the host's
 * retry repairs it. */
#include "frame.h"

#include "crc.h"

#define FIRST_0 0x06u
#define FIRST_1 0x09u
#define NEXT_0 0x04u
#define NEXT_1 0x14u
#define TEXT_CHARACTERS (LW_LINE_BYTES - 3u)
#define TEXT_BYTES (TEXT_CHARACTERS / 4u * 3u)
#define NOT_BASE64 0xffu

static void drop(lw_frame_decoder *decoder)
{
    decoder->state = LW_FRAME_OUTSIDE;
    decoder->assembling = 0;
}

static uint32_t sextet_of(uint8_t character)
{
    if (character >= 'A' && character <= 'Z') {
        return (uint32_t)character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return (uint32_t)character - 'a' + 26u;
    }
    if (character >= '0' && character <= '9') {
        return (uint32_t)character - '0' + 52u;
    }
    return character == '+' ? 62u : character == '/' ? 63u : NOT_BASE64;
}

static void append_group(lw_frame_decoder *decoder)
{
    uint32_t bytes = 3u - decoder->padding;
    if (decoder->length + bytes > LW_PACKET_BYTES) {
        drop(decoder);
        return;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        decoder->packet[decoder->length] = (uint8_t)(decoder->group >> (16u - 8u * i));
        decoder->length++;
    }
}

static void receive_text(lw_frame_decoder *decoder, uint8_t character)
{
    uint32_t sextet = sextet_of(character);
    uint32_t place = decoder->line_length & 3u;
    if (character == '=' && place >= 2u) { /* padding: the last one or two characters of the line's last group */
        decoder->padding++;
        sextet = 0;
    } else if (decoder->padding != 0u) {
        sextet = NOT_BASE64;
    }
    if (sextet == NOT_BASE64 || decoder->line_length == TEXT_CHARACTERS) {
        drop(decoder);
        return;
    }
    decoder->group = (decoder->group << 6) | sextet;
    decoder->line_length++;
    if (place == 3u) {
        append_group(decoder);
    }
}

static size_t end_line(lw_frame_decoder *decoder)
{
    decoder->state = LW_FRAME_OUTSIDE;
    if ((decoder->line_length & 3u) != 0u) {
        drop(decoder);
        return 0;
    }
    if (decoder->length < 2u) {
        return 0;
    }
    size_t expected = ((size_t)decoder->packet[0] << 8) | decoder->packet[1];
    if (expected < 2u || decoder->length > expected + 2u || expected + 2u > LW_PACKET_BYTES) {
        drop(decoder);
        return 0;
    }
    if (decoder->length < expected + 2u) {
        return 0;
    }
    drop(decoder);
    return lw_crc16(0, decoder->packet + 2, expected) == 0u ? expected - 2u : 0u; /* over message and CRC: 0 */
}

size_t lw_frame_receive(lw_frame_decoder *decoder, uint8_t byte)
{
    if (byte == FIRST_0 || byte == NEXT_0) {
        if (decoder->state == LW_FRAME_TEXT) {
            drop(decoder); /* the line before it lost its line feed */
        }
        decoder->state = LW_FRAME_MARK;
        decoder->mark = byte;
        return 0;
    }
    switch (decoder->state) {
    case LW_FRAME_MARK:
        if (decoder->mark == FIRST_0 && byte == FIRST_1) {
            decoder->assembling = 1;
            decoder->length = 0;
            decoder->state = LW_FRAME_TEXT;
        } else {
            decoder->state = decoder->mark == NEXT_0 && byte == NEXT_1 && decoder->assembling ? LW_FRAME_TEXT
                                                                                              : LW_FRAME_OUTSIDE;
        }
        decoder->line_length = 0;
        decoder->padding = 0;
        return 0;
    case LW_FRAME_TEXT:
        if (byte == '\n') {
            return end_line(decoder);
        }
        receive_text(decoder, byte);
        return 0;
    case LW_FRAME_OUTSIDE:
    default:
        return 0;
    }
}

const uint8_t *lw_frame_message(const lw_frame_decoder *decoder)
{
    return decoder->packet + 2;
}

void lw_frame_begin(lw_frame_encoder *encoder, const uint8_t *message, size_t length)
{
    encoder->message = message;
    encoder->length = length;
    encoder->sent = 0;
    encoder->crc = lw_crc16(0, message, length);
}

static uint32_t packet_byte(const lw_frame_encoder *encoder, size_t index)
{
    if (index < 2u) {
        return ((encoder->length + 2u) >> (8u - 8u * index)) & 0xffu;
    }
    if (index < encoder->length + 2u) {
        return encoder->message[index - 2u];
    }
    return index == encoder->length + 2u ? (uint32_t)encoder->crc >> 8 : (uint32_t)encoder->crc & 0xffu;
}

size_t lw_frame_next_line(lw_frame_encoder *encoder, uint8_t line[LW_LINE_BYTES])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t total = encoder->length + 4u;
    if (encoder->sent >= total) {
        return 0;
    }
    size_t end = total - encoder->sent < TEXT_BYTES ? total : encoder->sent + TEXT_BYTES;
    size_t at = 0;
    line[at++] = encoder->sent == 0u ? FIRST_0 : NEXT_0;
    line[at++] = encoder->sent == 0u ? FIRST_1 : NEXT_1;
    while (encoder->sent < end) {
        uint32_t group = 0;
        uint32_t bytes = 0;
        for (uint32_t i = 0; i < 3u; i++) {
            group <<= 8;
            if (encoder->sent < end) {
                group |= packet_byte(encoder, encoder->sent);
                encoder->sent++;
                bytes++;
            }
        }
        for (uint32_t i = 0; i < 4u; i++) {
            line[at++] = i <= bytes ? (uint8_t)alphabet[(group >> (18u - 6u * i)) & 63u] : (uint8_t)'=';
        }
    }
    line[at++] = '\n';
    return at;
}
