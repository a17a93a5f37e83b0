/* model.h: a model of three operators, written by hand, for tests of the firmware and the build. */
#ifndef MODEL_H
#define MODEL_H

#include "leadwire.h"

#define LW_MODEL lw_model_tiny
#define LW_MODEL_DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

extern const lw_model lw_model_tiny;

#endif /* MODEL_H */
