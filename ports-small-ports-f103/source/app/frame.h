/* frame.h: MCUmgr's serial console framing, bytes in and bytes out (docs/manual/link-protocol.md, "Framing").
 *
 * packet = length:u16 | message | crc16:u16, big-endian, as base64 in lines of at most 127 bytes. */
#ifndef LW_FRAME_H
#define LW_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "sizes.h"

#define LW_MESSAGE_BYTES (LW_PACKET_BYTES - 4u) /* largest SMP message, header included */
#define LW_LINE_BYTES 127u                      /* start bytes and line feed included */

typedef enum {
    LW_FRAME_OUTSIDE, /* between lines: whatever comes is ignored */
    LW_FRAME_MARK,    /* the first of two start bytes has come */
    LW_FRAME_TEXT     /* inside a line that belongs to a packet */
} lw_frame_state;

/* All zero is the start state. */
typedef struct {
    lw_frame_state state;
    uint8_t mark;
    uint8_t line_length; /* characters of text in this line */
    uint8_t padding;     /* '=' seen in this line */
    uint8_t assembling;  /* a first line has come and nothing was wrong since */
    uint32_t group;      /* up to four characters of six bits */
    size_t length;       /* bytes of the packet so far */
    uint8_t packet[LW_PACKET_BYTES];
} lw_frame_decoder;

/* Takes one byte. Returns the length of the message when it completes a packet without fault, else 0. */
size_t lw_frame_receive(lw_frame_decoder *decoder, uint8_t byte);

/* The message after lw_frame_receive() has returned its length; valid until the next call. */
const uint8_t *lw_frame_message(const lw_frame_decoder *decoder);

typedef struct {
    const uint8_t *message;
    size_t length;
    size_t sent; /* bytes of the packet in the lines so far */
    uint16_t crc;
} lw_frame_encoder;

/* Begins the packet of a message of at most LW_MESSAGE_BYTES, which must stay in place until the last line. */
void lw_frame_begin(lw_frame_encoder *encoder, const uint8_t *message, size_t length);

/* Writes the next line and returns its length, 0 after the last one. */
size_t lw_frame_next_line(lw_frame_encoder *encoder, uint8_t line[LW_LINE_BYTES]);

#endif /* LW_FRAME_H */
