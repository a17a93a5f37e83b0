/* leadwire 0.1.0 aot, model 'tiny' sha256 00c54734835368f8315383456f232a7fac561220d563dbbc79dfc0c4d89de5fc: constant tables of the model. */
#include "weights.h"

/* op 1 CONV_2D 'conv': weights */
const int8_t lw_tiny_op1_weights[6] = {
    1, 2, 3, -1, -2, -3,
};

/* op 1 CONV_2D 'conv': bias */
const int32_t lw_tiny_op1_bias[2] = {
    28, -28,
};

/* op 1 CONV_2D 'conv': rescale */
const lw_rescale lw_tiny_op1_rescale[2] = {
    {-1431655766, 0, 2}, {-1431655766, 0, 1},
};

/* op 3 FULLY_CONNECTED 'dense': weights */
const int8_t lw_tiny_op3_weights[4] = {
    5, -5, 7, 9,
};

/* op 3 FULLY_CONNECTED 'dense': bias */
const int32_t lw_tiny_op3_bias[2] = {
    0, 2048,
};

/* op 3 FULLY_CONNECTED 'dense': rescale */
const lw_rescale lw_tiny_op3_rescale[1] = {
    {-286331320, 0, 2},
};
