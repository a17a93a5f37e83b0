/* restart.h: why the chip restarts, told across the restart where the chip itself keeps no note of it.
 *
 * The note lies in the last 16 bytes of the RAM, which belong to no section, so that neither start-up code nor a loader
 * touches them. What power-on leaves there is not taken for a note. */
#ifndef LW_RESTART_H
#define LW_RESTART_H

#include "port.h"

void lw_restart_note(lw_reset_cause cause);

/* The cause noted before this start, LW_RESET_UNKNOWN where there is none; the note is gone afterwards. */
lw_reset_cause lw_restart_cause(void);

#endif /* LW_RESTART_H */
