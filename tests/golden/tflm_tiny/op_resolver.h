/* leadwire 0.1.0 tflm, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: the operators that the model uses, and no others. */
#ifndef LW_MODEL_TINY_OP_RESOLVER_H
#define LW_MODEL_TINY_OP_RESOLVER_H

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

/* TensorFlow Lite Micro of October 2026 and later has its names in tflite::micro, earlier ones in tflite. */
namespace tflite {
namespace micro {}
using namespace micro;
} // namespace tflite

constexpr unsigned int lw_tiny_kinds = 5;

using lw_tiny_resolver = tflite::MicroMutableOpResolver<lw_tiny_kinds>;

/* CONV_2D, FULLY_CONNECTED, MEAN, RESHAPE, SOFTMAX.
 * False where one could not be registered. */
bool lw_tiny_register(lw_tiny_resolver &resolver);

#endif /* LW_MODEL_TINY_OP_RESOLVER_H */
