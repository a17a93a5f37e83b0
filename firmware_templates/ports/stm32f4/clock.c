/* clock.c: the PLL to 168 MHz: input / M = 1 MHz, times N = 336, / P = 2 (ST RM0090 sections 7.2.3 and 7.3.2).
 *
 * AHB 168 MHz, APB1 42 MHz, APB2 84 MHz (the limits of DS8626 table 14), regulator scale 1, 5 flash wait states
 * (RM0090 table 10). Every wait ends: a crystal or PLL that never gets ready leaves the slower clock in use. */
#include "clock.h"

#include "registers.h"

#ifndef LW_CRYSTAL_HZ
#define LW_CRYSTAL_HZ 0 /* none: use the internal oscillator */
#endif

#define HSI_HZ 16000000u
#define PLL_N 336u
#define PLL_Q 7u /* 48 MHz */
#define CORE_HZ 168000000u
#define READY_POLLS 100000u /* some 40 ms at 16 MHz; a crystal starts in 2 ms (DS8626 table 32) */
#define WAIT_STATES 5u
#define CFGR_PLL_APB1_DIV4_APB2_DIV2 (2u | (5u << 10) | (4u << 13))

#if LW_CRYSTAL_HZ != 0 && (LW_CRYSTAL_HZ % 1000000 != 0 || LW_CRYSTAL_HZ < 4000000 || LW_CRYSTAL_HZ > 26000000)
#error "the crystal is 4 to 26 MHz in whole MHz"
#endif

static bool wait_for(volatile const uint32_t *status, uint32_t mask, uint32_t value)
{
    for (uint32_t poll = 0; poll < READY_POLLS; poll++) {
        if ((*status & mask) == value) {
            return true;
        }
    }
    return false;
}

static bool crystal_starts(void)
{
    if (LW_CRYSTAL_HZ == 0) {
        return false;
    }
    RCC_CR |= RCC_CR_HSEON;
    return wait_for(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY);
}

lw_clocks lw_clock_init(void)
{
    const lw_clocks slow = {.core_hz = HSI_HZ, .usart1_hz = HSI_HZ, .tim2_hz = HSI_HZ, .modelled = RCC_CR != 0u};
    if (!slow.modelled) { /* after reset HSION and HSIRDY are set on silicon (RM0090 section 7.3.1) */
        return slow;
    }
    RCC_CR |= RCC_CR_HSION; /* away from a PLL that a boot loader may have started: it is set up while off */
    RCC_CFGR = 0;
    if (!wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY) || !wait_for(&RCC_CFGR, RCC_CFGR_SWS, 0)) {
        return slow;
    }
    RCC_CR &= ~RCC_CR_PLLON;
    RCC_APB1ENR |= RCC_APB1ENR_PWR;
    (void)RCC_APB1ENR; /* the clock takes two cycles to arrive (RM0090 section 7.2.11) */
    PWR_CR |= PWR_CR_VOS;
    FLASH_ACR = FLASH_ACR_PREFETCH | FLASH_ACR_ICACHE | FLASH_ACR_DCACHE | WAIT_STATES;
    bool crystal = crystal_starts();
    uint32_t pll_m = (crystal ? (uint32_t)LW_CRYSTAL_HZ : HSI_HZ) / 1000000u;
    RCC_PLLCFGR = pll_m | (PLL_N << 6) | (crystal ? RCC_PLLCFGR_HSE : 0u) | (PLL_Q << 24);
    RCC_CR |= RCC_CR_PLLON;
    if (!wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) {
        return slow;
    }
    RCC_CFGR = CFGR_PLL_APB1_DIV4_APB2_DIV2;
    if (!wait_for(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL)) {
        return slow;
    }
    return (lw_clocks){.core_hz = CORE_HZ, .usart1_hz = CORE_HZ / 2u, .tim2_hz = CORE_HZ / 2u, .modelled = true};
}
