/* sizes.h: the buffers of the link, all of them static. A board with little RAM (LW_RAM_BYTES, from its file) gets small
 * ones; each can be set on its own. */
#ifndef LW_SIZES_H
#define LW_SIZES_H

#ifndef LW_RAM_BYTES
#define LW_RAM_BYTES 65536
#endif
#define LW_LITTLE_RAM (LW_RAM_BYTES <= 20480)

#ifndef LW_RING_BYTES /* received and not yet read; a power of two */
#define LW_RING_BYTES (LW_LITTLE_RAM ? 512u : 2048u)
#endif
#ifndef LW_PACKET_BYTES /* length field, message and CRC: `buf_size` of the MCUmgr parameters */
#define LW_PACKET_BYTES (LW_LITTLE_RAM ? 512u : 1024u)
#endif
#ifndef LW_CELL_BYTES /* largest cell of a stream; at most 255 */
#define LW_CELL_BYTES (LW_LITTLE_RAM ? 128u : 255u)
#endif
#ifndef LW_STORE_BYTES /* results of a stream that can be asked for again: 12 bytes and the outputs each */
#define LW_STORE_BYTES (LW_LITTLE_RAM ? 192u : 512u)
#endif

#endif /* LW_SIZES_H */
