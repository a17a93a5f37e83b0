/* leadwire 0.1.0 tflm, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: golden input and expected output. */
#include "model.h"
#include "self_test.h"
#include "engine.h"

static const int8_t golden_input[6] = {
    0, 1, 2, 3, 4, 5,
};

static const int8_t golden_output[2] = {
    -128, 127,
};

lw_status lw_tiny_self_test(void)
{
    return lw_run_self_test(&lw_model_tiny, golden_input, golden_output);
}
