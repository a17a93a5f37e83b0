/* restart.c: see restart.h. */
#include "restart.h"

#define MARK 0x6c775253u

extern volatile uint32_t lw_retained[4]; /* the port's linker script */

void lw_restart_note(lw_reset_cause cause)
{
    lw_retained[0] = MARK;
    lw_retained[1] = (uint32_t)cause;
    lw_retained[2] = ~(uint32_t)cause;
}

lw_reset_cause lw_restart_cause(void)
{
    uint32_t cause = lw_retained[1];
    bool noted = lw_retained[0] == MARK && lw_retained[2] == ~cause && cause <= (uint32_t)LW_RESET_FAULT;
    lw_retained[0] = 0;
    return noted ? (lw_reset_cause)cause : LW_RESET_UNKNOWN;
}
