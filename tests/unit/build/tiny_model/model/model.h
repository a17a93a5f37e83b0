/* model.h: a model of three operators, written by hand, for tests of the firmware and the build. */
#ifndef MODEL_H
#define MODEL_H

#include "leadwire.h"

#define LW_MODEL lw_model_tiny

extern const lw_model lw_model_tiny;

#endif /* MODEL_H */
