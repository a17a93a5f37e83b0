/* samba.c: a boot loader that speaks SAM-BA's monitor protocol over a USART, with Arduino's commands X and Y.
 *
 * A host such as bossac knows chips, so this one passes itself off as the SAMD21G18A of an Arduino Zero: its first 256 KiB of
 * flash are at address 0. Commands N, V, w, o, R, S, W, X, Y, each `letter address,number #` in hexadecimal; R and S move
 * their bytes by XMODEM with CRC. What is not allowed is not done; where an answer is due it is zero bytes for a read and
 * none for X and Y, which hosts take for an error. A command that breaks off is forgotten after a second. */
#include "boot.h"

#include "crc.h"

#define BYTE_TIMEOUT_MS 1000u
#define SHOWN_BYTES 0x40000u
#define CPUID 0xe000ed00u
#define AIRCR 0xe000ed0cu
#define AIRCR_RESET 0x05fa0004u
#define DEVICE_ID 0x41002018u
#define CORTEX_M0_PLUS 0x410cc601u
#define SAMD21G18A 0x10010005u
#define ERASED 0xffffffffu
#define SOH 0x01u
#define EOT 0x04u
#define ACK 0x06u
#define NAK 0x15u
#define BLOCK_BYTES 128u
#define TRIES 5u

typedef struct {
    uint8_t name;
    uint32_t address;
    uint32_t number;
} order;

static uint32_t buffer; /* what the next Y writes from */

static void say(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    lw_boot_write((const uint8_t *)text, length);
}

static bool digit_of(uint8_t character, uint32_t *digit)
{
    if (character >= (uint8_t)'0' && character <= (uint8_t)'9') {
        *digit = (uint32_t)character - (uint32_t)'0';
        return true;
    }
    if (character >= (uint8_t)'A' && character <= (uint8_t)'F') {
        *digit = (uint32_t)character - (uint32_t)'A' + 10u;
        return true;
    }
    if (character >= (uint8_t)'a' && character <= (uint8_t)'f') {
        *digit = (uint32_t)character - (uint32_t)'a' + 10u;
        return true;
    }
    return false;
}

/* Receives up to '#'. False for what is no order; of numbers that are too long the last eight digits count. */
static bool receive(order *found)
{
    bool right = lw_boot_read(&found->name, 0);
    bool in_number = false;
    found->address = 0;
    found->number = 0;
    for (;;) {
        uint8_t character;
        uint32_t digit;
        if (!lw_boot_read(&character, BYTE_TIMEOUT_MS)) {
            return false;
        }
        if (character == (uint8_t)'#') {
            return right;
        }
        if (digit_of(character, &digit)) {
            uint32_t *value = in_number ? &found->number : &found->address;
            *value = (*value << 4) | digit;
        } else if (character == (uint8_t)',' && !in_number) {
            in_number = true;
        } else {
            right = false;
        }
    }
}

/* Where the host's addresses of the flash are here. */
static uint32_t placed(uint32_t address)
{
    return address < SHOWN_BYTES ? lw_boot_flash().address + address : address;
}

static bool is_flash(uint32_t address, uint32_t length)
{
    return lw_within(address, length, (lw_span){.address = 0, .length = SHOWN_BYTES});
}

static uint8_t byte_at(uint32_t address)
{
    if (is_flash(address, 1) || lw_within(address, 1, lw_boot_free_ram())) {
        return *(const volatile uint8_t *)(uintptr_t)placed(address);
    }
    if ((address & ~3u) == CPUID) {
        return (uint8_t)(CORTEX_M0_PLUS >> (8u * (address & 3u)));
    }
    if ((address & ~3u) == DEVICE_ID) {
        return (uint8_t)(SAMD21G18A >> (8u * (address & 3u)));
    }
    return 0;
}

static void send(uint32_t address, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        uint8_t byte = byte_at(address + i);
        lw_boot_write(&byte, 1);
    }
}

static void store(uint32_t address, uint8_t byte)
{
    if (lw_within(address, 1, lw_boot_free_ram())) {
        *(volatile uint8_t *)(uintptr_t)address = byte; /* NOLINT(clang-analyzer-core.NullDereference): in free RAM */
    }
}

static void answer(uint8_t byte)
{
    lw_boot_write(&byte, 1);
}

/* The rest of an XMODEM block behind its SOH. */
static bool receive_block(uint8_t number, uint8_t block[BLOCK_BYTES])
{
    uint8_t head[2];
    uint8_t check[2];
    bool whole = lw_boot_read(&head[0], BYTE_TIMEOUT_MS) && lw_boot_read(&head[1], BYTE_TIMEOUT_MS);
    for (uint32_t i = 0; whole && i < BLOCK_BYTES; i++) {
        whole = lw_boot_read(&block[i], BYTE_TIMEOUT_MS);
    }
    whole = whole && lw_boot_read(&check[0], BYTE_TIMEOUT_MS) && lw_boot_read(&check[1], BYTE_TIMEOUT_MS);
    return whole && head[0] == number && (head[0] ^ head[1]) == 0xff &&
           lw_crc16(0, block, BLOCK_BYTES) == (((uint32_t)check[0] << 8) | check[1]);
}

static void take(uint32_t address, uint32_t length)
{
    uint8_t block[BLOCK_BYTES];
    uint32_t taken = 0;
    uint8_t kind = 0;
    uint8_t number = 1;
    uint32_t failures = 0;
    answer((uint8_t)'C');
    while (failures < TRIES && lw_boot_read(&kind, BYTE_TIMEOUT_MS)) {
        if (kind == EOT) {
            answer(ACK);
            return;
        }
        if (kind != SOH || !receive_block(number, block)) {
            failures++;
            answer(NAK);
            continue;
        }
        for (uint32_t i = 0; i < BLOCK_BYTES && taken < length; i++) {
            store(address + taken, block[i]);
            taken++;
        }
        number++;
        answer(ACK);
    }
}

/* Sends a block, or the end (whose block is not looked at), until it is acknowledged. */
static bool is_acknowledged(uint8_t kind, uint8_t number, const uint8_t *block)
{
    for (uint32_t attempt = 0; attempt < TRIES; attempt++) {
        uint8_t said = 0;
        answer(kind);
        if (kind == SOH) {
            uint32_t check = lw_crc16(0, block, BLOCK_BYTES);
            answer(number);
            answer((uint8_t)(number ^ 0xffu));
            lw_boot_write(block, BLOCK_BYTES);
            answer((uint8_t)(check >> 8));
            answer((uint8_t)(check & 0xffu));
        }
        if (lw_boot_read(&said, BYTE_TIMEOUT_MS) && said == ACK) {
            return true;
        }
    }
    return false;
}

static void give(uint32_t address, uint32_t length)
{
    uint8_t block[BLOCK_BYTES];
    uint8_t number = 1;
    uint8_t start = 0;
    bool heard = lw_boot_read(&start, BYTE_TIMEOUT_MS) && start == (uint8_t)'C';
    for (uint32_t given = 0; heard && given < length; given += BLOCK_BYTES) {
        for (uint32_t i = 0; i < BLOCK_BYTES; i++) {
            block[i] = given + i < length ? byte_at(address + given + i) : 0u;
        }
        heard = is_acknowledged(SOH, number, block);
        number++;
    }
    if (heard) {
        (void)is_acknowledged(EOT, 0, block);
    }
}

/* The chip's reset would come back here: BOOT0 is high. */
static void restart(void)
{
    uint32_t vectors = lw_boot_flash().address;
    if (*(const volatile uint32_t *)(uintptr_t)vectors == ERASED) {
        lw_boot_reset();
    }
    lw_boot_start(vectors);
}

static void write_word(uint32_t address, uint32_t value)
{
    if (address == AIRCR && value == AIRCR_RESET) {
        restart();
    }
    for (uint32_t i = 0; i < 4u; i++) {
        store(address + i, (uint8_t)(value >> (8u * i)));
    }
}

/* From the sector that begins there to the end of what is shown. */
static bool erase_from(uint32_t address)
{
    bool begun = false;
    for (uint32_t number = 0; number < lw_boot_sector_count(); number++) {
        uint32_t start = lw_boot_sector(number).address - lw_boot_flash().address;
        begun = begun || start == address;
        if (begun && start < SHOWN_BYTES && !lw_boot_erase(number)) {
            return false;
        }
    }
    return begun && address < SHOWN_BYTES;
}

static bool write_flash(uint32_t address, uint32_t length)
{
    return is_flash(address, length) && lw_within(buffer, length, lw_boot_free_ram()) &&
           lw_boot_program(placed(address), (const uint8_t *)(uintptr_t)buffer, length);
}

static void obey(const order *what)
{
    switch (what->name) {
    case 'N':
        say("\n\r");
        break;
    case 'V':
        say("v2.0 [Arduino:XY] leadwire\n\r");
        break;
    case 'w':
        send(what->address, 4);
        break;
    case 'o':
        send(what->address, 1);
        break;
    case 'R':
        if (what->number <= SHOWN_BYTES) {
            give(what->address, what->number);
        }
        break;
    case 'S':
        take(what->address, what->number);
        break;
    case 'W':
        write_word(what->address, what->number);
        break;
    case 'X':
        if (erase_from(what->address)) {
            say("X\n\r");
        }
        break;
    case 'Y':
        if (what->number == 0u) {
            buffer = what->address;
            say("Y\n\r");
        } else if (write_flash(what->address, what->number)) {
            say("Y\n\r");
        } else {
            buffer = 0;
        }
        break;
    default:
        break;
    }
}

int main(void)
{
    lw_boot_init();
    for (;;) {
        order what;
        if (receive(&what)) {
            obey(&what);
        }
    }
}
