/* leadwire 0.1.0 tflm, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: the operators that the model uses, and no others. */
#ifndef TF_LITE_STATIC_MEMORY
#define TF_LITE_STATIC_MEMORY /* as TensorFlow Lite Micro itself is compiled: it decides how structures look */
#endif

#include "op_resolver.h"

using namespace tflite::micro;

bool lw_tiny_register(lw_tiny_resolver &resolver)
{
    if (resolver.AddConv2D(tflite::Register_CONV_2D_INT8()) != kTfLiteOk) {
        return false;
    }
    if (resolver.AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8()) != kTfLiteOk) {
        return false;
    }
    if (resolver.AddMean() != kTfLiteOk) {
        return false;
    }
    if (resolver.AddReshape() != kTfLiteOk) {
        return false;
    }
    if (resolver.AddSoftmax(tflite::Register_SOFTMAX_INT8()) != kTfLiteOk) {
        return false;
    }
    return true;
}
