/* leadwire 0.1.0 aot, model 'ports-small' sha256 320b04716eada15544291193d8cd36ceded8d00e664d7e962b0ed4971fae8bbc: golden input and expected output. */
#include "model.h"
#include "self_test.h"
#include "weights.h"

static const int8_t golden_input[128] = {
    11, 48, 85, 122, -97, -60, -23, 14, 51, 88, 125, -94, -57, -20, 17, 54, 91, -128, -91, -54, -17, 20, 57, 94,
    -125, -88, -51, -14, 23, 60, 97, -122, -85, -48, -11, 26, 63, 100, -119, -82, -45, -8, 29, 66, 103, -116, -79,
    -42, -5, 32, 69, 106, -113, -76, -39, -2, 35, 72, 109, -110, -73, -36, 1, 38, 75, 112, -107, -70, -33, 4, 41,
    78, 115, -104, -67, -30, 7, 44, 81, 118, -101, -64, -27, 10, 47, 84, 121, -98, -61, -24, 13, 50, 87, 124, -95,
    -58, -21, 16, 53, 90, 127, -92, -55, -18, 19, 56, 93, -126, -89, -52, -15, 22, 59, 96, -123, -86, -49, -12,
    25, 62, 99, -120, -83, -46, -9, 28, 65, 102,
};

static const int8_t golden_output[5] = {
    -126, 59, -125, -114, -78,
};

lw_status lw_ports_small_self_test(void)
{
    return lw_run_self_test(&lw_model_ports_small, golden_input, golden_output);
}
