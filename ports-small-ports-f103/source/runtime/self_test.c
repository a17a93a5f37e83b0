/* The golden self-test: LW_OK where every output byte equals the expected one. */
#include "self_test.h"

lw_status lw_run_self_test(const lw_model *model, const int8_t *input, const int8_t *output)
{
    for (uint16_t i = 0; i < model->input_count; i++) {
        for (uint32_t byte = 0; byte < model->inputs[i].bytes; byte++) {
            model->inputs[i].data[byte] = *input++;
        }
    }
    const lw_status status = model->infer();
    if (status != LW_OK) {
        return status;
    }
    for (uint16_t i = 0; i < model->output_count; i++) {
        for (uint32_t byte = 0; byte < model->outputs[i].bytes; byte++) {
            if (model->outputs[i].data[byte] != *output++) {
                return LW_ERROR_SELF_TEST;
            }
        }
    }
    return LW_OK;
}
