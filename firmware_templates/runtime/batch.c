/* Many inferences in one call, so that a host program pays for its call once. */
#include "batch.h"

lw_status lw_run_batch(const lw_model *model, const int8_t *rows, int8_t *answers, uint32_t count)
{
    for (uint32_t row = 0; row < count; row++) {
        for (uint16_t i = 0; i < model->input_count; i++) {
            for (uint32_t byte = 0; byte < model->inputs[i].bytes; byte++) {
                model->inputs[i].data[byte] = *rows++;
            }
        }
        const lw_status status = model->infer();
        if (status != LW_OK) {
            return status;
        }
        for (uint16_t i = 0; i < model->output_count; i++) {
            for (uint32_t byte = 0; byte < model->outputs[i].bytes; byte++) {
                *answers++ = model->outputs[i].data[byte];
            }
        }
    }
    return LW_OK;
}
