/* stack.c: see stack.h. A word that the program leaves with the value of the paint is not seen; the static bound of the
 * build is the other witness. */
#include "stack.h"

#include "port.h"

#define PAINT 0x5aa5c33cu
#define OWN_FRAME_WORDS 32u /* left alone below the caller's frame */

void lw_stack_paint(void)
{
    volatile uint32_t here = 0;
    uintptr_t end = (uintptr_t)lw_port_stack_top();
    if ((uintptr_t)&here > (uintptr_t)lw_port_stack_bottom() && (uintptr_t)&here < end) {
        end = (uintptr_t)&here - OWN_FRAME_WORDS * sizeof(uint32_t);
    }
    for (volatile uint32_t *word = lw_port_stack_bottom(); (uintptr_t)word < end; word++) {
        *word = PAINT;
    }
}

uint32_t lw_stack_used(void)
{
    const volatile uint32_t *word = lw_port_stack_bottom();
    while ((uintptr_t)word < (uintptr_t)lw_port_stack_top() && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)lw_port_stack_top() - (uintptr_t)word);
}
