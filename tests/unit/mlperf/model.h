/* model.h: six values in, six out, written by hand for tests of the protocol: each run turns its input over in place. */
#ifndef MODEL_H
#define MODEL_H

#include "leadwire.h"

#define LW_MODEL lw_model_turn
#define LW_MODEL_INPUT_BYTES 6

extern const lw_model lw_model_turn;

#endif /* MODEL_H */
