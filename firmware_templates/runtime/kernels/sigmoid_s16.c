/* LOGISTIC and TANH, int16, by a table of the sigmoid; outputs have scale 1/32768.
 *
 *   x = in * multiplier / 2^right to the nearest, in units of 1/12288
 *   logistic = sigmoid(x / 12288),  tanh = 2 * sigmoid(2 * x / 12288) - 1,  by their symmetry from |x|
 *
 * Between the entries of the table lies a line; beyond them the result is the largest. Nothing depends on the data but
 * through masks and the table's index, so that every input takes the same instructions. May run in place.
 */
#include "kernels.h"

/* x where it is not negative, -x elsewhere; `sign` is x >> 31 */
static inline int32_t lw_times_sign(int32_t x, int32_t sign)
{
    return (x ^ sign) - sign;
}

/* 2^(16 + bits) * sigmoid of a magnitude whose steps between entries have `bits` bits; `most` from the last entry on */
static inline int32_t lw_sigmoid(int32_t magnitude, int32_t bits, int32_t most)
{
    /* 2^16 * sigmoid(i / 24), more than it by half of what the line is too low in the middle; the last is 65535 */
    static const uint16_t table[256] = {
        32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149, 40794, 41432, 42064,
        42688, 43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369, 47911, 48443, 48964, 49475, 49975, 50464,
        50942, 51409, 51865, 52311, 52745, 53169, 53581, 53983, 54374, 54755, 55125, 55485, 55834, 56174, 56503,
        56823, 57133, 57433, 57724, 58007, 58280, 58544, 58800, 59048, 59288, 59519, 59743, 59959, 60168, 60370,
        60565, 60753, 60935, 61110, 61279, 61441, 61599, 61750, 61896, 62036, 62172, 62302, 62428, 62549, 62666,
        62778, 62886, 62990, 63090, 63186, 63279, 63368, 63454, 63536, 63615, 63691, 63765, 63835, 63903, 63968,
        64030, 64090, 64148, 64204, 64257, 64308, 64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652, 64687,
        64721, 64754, 64786, 64816, 64845, 64873, 64900, 64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079,
        65097, 65115, 65132, 65149, 65164, 65179, 65194, 65208, 65221, 65234, 65246, 65258, 65269, 65280, 65291,
        65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360, 65367, 65374, 65381, 65387, 65393, 65399, 65404,
        65410, 65415, 65420, 65425, 65429, 65433, 65438, 65442, 65445, 65449, 65453, 65456, 65459, 65462, 65465,
        65468, 65471, 65474, 65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498,
        65500, 65501, 65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513, 65514, 65515, 65516,
        65517, 65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522, 65523, 65523, 65524, 65524, 65525, 65525,
        65526, 65526, 65526, 65527, 65527, 65528, 65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530, 65530,
        65530, 65531, 65531, 65531, 65531, 65531, 65532, 65532, 65532, 65532, 65532, 65532, 65533, 65533, 65533,
        65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534,
        65535,
    };
    const int32_t entry = magnitude >> bits;
    const int32_t beyond = (254 - entry) >> 31; /* all ones where there is no next entry */
    const int32_t held = entry ^ ((entry ^ 254) & beyond);
    const int32_t value = table[held];
    const int32_t between = (value << bits) + (magnitude & ((1 << bits) - 1)) * (table[held + 1] - value);
    return between ^ ((between ^ most) & beyond);
}

void lw_sigmoid_s16(const lw_sigmoid_params *params, const int16_t *input, int16_t *output)
{
    const int32_t half = (int32_t)((UINT32_C(1) << params->right) >> 1);
    for (int32_t i = 0; i < params->count; i++) {
        const int32_t x = (input[i] * params->multiplier + half) >> params->right;
        const int32_t sign = x >> 31;
        const int32_t above = lw_sigmoid(lw_times_sign(x, sign), params->bits, params->most) - params->middle;
        output[i] = (int16_t)((lw_times_sign(above, sign) + sign + params->offset) >> params->down);
    }
}
