/* clock.h: what the clock set-up ended with. */
#ifndef LW_STM32F4_CLOCK_H
#define LW_STM32F4_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t core_hz;
    uint32_t usart1_hz; /* PCLK2 */
    uint32_t tim2_hz;   /* twice PCLK1 where PCLK1 is divided */
    bool modelled;      /* false on an emulator without a reset and clock controller */
} lw_clocks;

/* 168 MHz from the PLL; source is the crystal where the board has one and it starts, else the internal oscillator. */
lw_clocks lw_clock_init(void);

#endif /* LW_STM32F4_CLOCK_H */
