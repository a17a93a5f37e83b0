/* SysTick interrupts wake a sleeping core, COUNTFLAG clears when read, reset says why and keeps memory. */
#include "board.h"

#define RCC_CSR REG(0x40023874u)
#define IWDG_KR REG(0x40003000u)
#define IWDG_PR REG(0x40003004u)
#define IWDG_RLR REG(0x40003008u)
#define MARK REG(0x2001FF00u - 0x4000u)

static volatile uint32_t ticks;
void systick_handler(void) { ticks = ticks + 1u; }

int main(void) {
    usart_start();
    uint32_t cause = RCC_CSR >> 24;
    RCC_CSR = 1u << 24;
    if (cause & 0x20u) {
        put_text(MARK == 0x600DF00Du ? "watchdog, memory kept\n" : "watchdog, memory lost\n");
        return 0;
    }
    if (cause & 0x10u) {
        put_text(MARK == 0x600DF00Du ? "software reset, memory kept\n" : "software reset, memory lost\n");
        IWDG_KR = 0x5555u;
        IWDG_PR = 0u;
        IWDG_RLR = 63u; /* 64 * 4 / 32 kHz = 8 ms */
        IWDG_KR = 0xCCCCu;
        SYST_RVR = 16000u - 1u;
        SYST_CVR = 0u;
        SYST_CSR = 7u;
        for (;;) wait_for_interrupt();
    }
    SYST_RVR = 1600u - 1u;
    SYST_CVR = 0u;
    SYST_CSR = 5u;
    while (!(SYST_CSR & (1u << 16))) {}
    put_text(SYST_CSR & (1u << 16) ? "flag stays\n" : "flag cleared\n");
    SYST_CSR = 7u;
    while (ticks < 5u) wait_for_interrupt();
    put_text("five ticks\n");
    SYST_CSR = 0u;
    MARK = 0x600DF00Du;
    SCB_AIRCR = 0x05FA0004u;
    for (;;) {}
}
