/* leadwire 0.1.0 aot, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: how a host program finds the model in a shared library. */
#include "model.h"

const lw_model *lw_host_model(void);

const lw_model *lw_host_model(void)
{
    return &lw_model_tiny;
}
