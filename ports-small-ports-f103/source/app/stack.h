/* stack.h: how deep the stack has ever been, by painting what is free at the start. */
#ifndef LW_STACK_H
#define LW_STACK_H

#include <stdint.h>

void lw_stack_paint(void);

/* Bytes between the top of the stack and the lowest word that is no longer painted. */
uint32_t lw_stack_used(void);

#endif /* LW_STACK_H */
