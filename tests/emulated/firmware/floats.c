/* Floating point in main and in an interrupt that preempts it: the registers must survive. WITHOUT_FPU_ENABLE leaves
 * CPACR alone, which a real core answers with a fault. */
#include "board.h"

static volatile float interference;
static volatile uint32_t ticks;

void systick_handler(void) {
    float x = interference;
    for (int i = 0; i < 8; i++) x = x * 1.5f + (float)i;
    interference = x > 1e6f ? 0.5f : x;
    ticks = ticks + 1u;
}

int main(void) {
#ifndef WITHOUT_FPU_ENABLE
    enable_fpu();
#endif
    usart_start();
    interference = 0.5f;
    SYST_RVR = 999u;
    SYST_CVR = 0u;
    SYST_CSR = 7u;
    float a = 1.0f, b = 0.25f, c = 3.0f;
    for (uint32_t i = 0; i < 20000u; i++) {
        a = a * 0.999f + b;
        b = b * 0.5f + c * 0.125f;
        c = c + a * 0.001f;
        if (c > 100.0f) c = c - 100.0f;
    }
    SYST_CSR = 0u;
    union { float value; uint32_t bits; } result = { a + b + c };
    put_hex(result.bits);
    put_text(ticks > 10u ? " preempted\n" : " never preempted\n");
    return 0;
}
