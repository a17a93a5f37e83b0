/* an3155.c: a boot loader that speaks ST's USART protocol (AN3155) as the system memory of an STM32F405 does.
 *
 * Commands Get, Get Version, Get ID, Read Memory, Go, Write Memory and Extended Erase. Every part of a command is
 * acknowledged or refused, and one that breaks off is forgotten after a second, so that a host that was cut off begins
 * anew with 0x7f. The baud rate is fixed and 0x7f is not measured. Boot pins and option bytes are not its business. */
#include "boot.h"

#define ACK 0x79u
#define NACK 0x1fu
#define INIT 0x7fu
#define GET 0x00u
#define GET_VERSION 0x01u
#define GET_ID 0x02u
#define READ_MEMORY 0x11u
#define GO 0x21u
#define WRITE_MEMORY 0x31u
#define EXTENDED_ERASE 0x44u
#define PROTOCOL_VERSION 0x31u
#define PRODUCT_ID 0x0413u /* STM32F405/407/415/417, RM0090 section 38.6.1 */
#define MASS_ERASE 0xffffu
#define FIRST_SPECIAL_ERASE 0xfff0u
#define BYTE_TIMEOUT_MS 1000u
#define BLOCK_BYTES 256u
#define MOST_SECTORS 64u

static void answer(uint8_t byte)
{
    lw_boot_write(&byte, 1);
}

/* Receives bytes and a checksum, the XOR of them all with `seed`. */
static bool receive(uint8_t *bytes, size_t length, uint8_t seed)
{
    uint8_t sum = seed;
    uint8_t check;
    for (size_t i = 0; i < length; i++) {
        if (!lw_boot_read(&bytes[i], BYTE_TIMEOUT_MS)) {
            return false;
        }
        sum ^= bytes[i];
    }
    return lw_boot_read(&check, BYTE_TIMEOUT_MS) && check == sum;
}

static bool receive_address(uint32_t *address)
{
    uint8_t bytes[4];
    if (!receive(bytes, 4, 0)) {
        return false;
    }
    *address = ((uint32_t)bytes[0] << 24) | ((uint32_t)bytes[1] << 16) | ((uint32_t)bytes[2] << 8) | bytes[3];
    return true;
}

static bool get(void)
{
    static const uint8_t known[] = {PROTOCOL_VERSION, GET, GET_VERSION, GET_ID, READ_MEMORY, GO, WRITE_MEMORY,
                                    EXTENDED_ERASE};
    answer(ACK);
    answer(sizeof known - 1u);
    lw_boot_write(known, sizeof known);
    return true;
}

static bool get_version(void)
{
    static const uint8_t version[] = {PROTOCOL_VERSION, 0, 0};
    answer(ACK);
    lw_boot_write(version, sizeof version);
    return true;
}

static bool get_id(void)
{
    static const uint8_t product[] = {1, PRODUCT_ID >> 8, PRODUCT_ID & 0xffu};
    answer(ACK);
    lw_boot_write(product, sizeof product);
    return true;
}

static bool is_readable(uint32_t address, uint32_t length)
{
    return lw_within(address, length, lw_boot_flash()) || lw_within(address, length, lw_boot_system()) ||
           lw_within(address, length, lw_boot_free_ram());
}

static bool read_memory(void)
{
    uint32_t address;
    uint8_t count;
    answer(ACK);
    if (!receive_address(&address) || !is_readable(address, 1)) {
        return false;
    }
    answer(ACK);
    if (!receive(&count, 1, 0xff) || !is_readable(address, count + 1u)) { /* its checksum is its complement */
        return false;
    }
    answer(ACK);
    for (uint32_t i = 0; i <= count; i++) {
        answer(*(const volatile uint8_t *)(uintptr_t)(address + i));
    }
    return true;
}

static bool go(void)
{
    uint32_t address;
    answer(ACK);
    if (!receive_address(&address) || (address & 0x7fu) != 0u) {
        return false;
    }
    if (!lw_within(address, 8, lw_boot_flash()) && !lw_within(address, 8, lw_boot_free_ram())) {
        return false;
    }
    answer(ACK);
    lw_boot_start(address);
}

static bool write_ram(uint32_t address, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        *(volatile uint8_t *)(uintptr_t)(address + i) = bytes[i];
    }
    return true;
}

static bool write_memory(void)
{
    uint8_t bytes[BLOCK_BYTES];
    uint32_t address;
    uint8_t count;
    answer(ACK);
    if (!receive_address(&address) || !is_readable(address, 1) || lw_within(address, 1, lw_boot_system())) {
        return false;
    }
    answer(ACK);
    if (!lw_boot_read(&count, BYTE_TIMEOUT_MS) || !receive(bytes, count + 1u, count)) {
        return false;
    }
    uint32_t length = count + 1u;
    bool done = lw_within(address, length, lw_boot_flash())      ? lw_boot_program(address, bytes, length)
                : lw_within(address, length, lw_boot_free_ram()) ? write_ram(address, bytes, length)
                                                                 : false;
    if (done) {
        answer(ACK);
    }
    return done;
}

static bool extended_erase(void)
{
    uint8_t head[2];
    uint8_t numbers[2u * MOST_SECTORS] = {0};
    uint8_t check;
    answer(ACK);
    if (!lw_boot_read(&head[0], BYTE_TIMEOUT_MS) || !lw_boot_read(&head[1], BYTE_TIMEOUT_MS)) {
        return false;
    }
    uint32_t count = ((uint32_t)head[0] << 8) | head[1];
    uint8_t seed = head[0] ^ head[1];
    bool all = count == MASS_ERASE;
    if (count >= FIRST_SPECIAL_ERASE) { /* of which this chip has only the one for everything */
        if (!lw_boot_read(&check, BYTE_TIMEOUT_MS) || check != seed || !all) {
            return false;
        }
        count = lw_boot_sector_count();
    } else {
        count++;
        if (count > MOST_SECTORS) {
            for (uint32_t i = 0; i <= 2u * count && lw_boot_read(&check, BYTE_TIMEOUT_MS); i++) {
            }
            return false;
        }
        if (!receive(numbers, 2u * count, seed)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sector = all ? i : ((uint32_t)numbers[2u * i] << 8) | numbers[2u * i + 1u];
        if (sector >= lw_boot_sector_count() || !lw_boot_erase(sector)) {
            return false;
        }
    }
    answer(ACK);
    return true;
}

static bool obey(uint8_t command)
{
    switch (command) {
    case GET:
        return get();
    case GET_VERSION:
        return get_version();
    case GET_ID:
        return get_id();
    case READ_MEMORY:
        return read_memory();
    case GO:
        return go();
    case WRITE_MEMORY:
        return write_memory();
    case EXTENDED_ERASE:
        return extended_erase();
    default:
        return false;
    }
}

int main(void)
{
    bool greeted = false;
    lw_boot_init();
    for (;;) {
        uint8_t command;
        uint8_t complement;
        (void)lw_boot_read(&command, 0);
        if (!greeted) {
            greeted = command == INIT;
            if (greeted) {
                answer(ACK);
            }
            continue;
        }
        if (command == INIT) { /* a host that comes later: it takes this for a boot loader that is awake */
            answer(NACK);
            continue;
        }
        if (!lw_boot_read(&complement, BYTE_TIMEOUT_MS)) {
            continue;
        }
        if ((command ^ complement) != 0xff || !obey(command)) {
            answer(NACK);
            continue;
        }
        if (command == GET || command == GET_VERSION || command == GET_ID) {
            answer(ACK);
        }
    }
}
