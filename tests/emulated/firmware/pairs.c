/* Loads of two words whose base is the first destination: cut short between the two, such a load cannot run again. */
#include "board.h"

static const uint32_t values[] = { 0x80000001u, 0xfffffff1u, 0x90000003u, 0xffffff07u };

int main(void) {
    usart_start();
    uint32_t sum = 0u;
    for (uint32_t i = 0; i < 3000000u; i++) {
        uint32_t first = (uint32_t)(values + (i & 2u)), second;
        __asm volatile("ldrd %0, %1, [%0]" : "+r"(first), "=r"(second));
        sum = (sum << 1 | sum >> 31) + (first ^ second);
    }
    put_hex(sum);
    put_text("\n");
    return 0;
}
