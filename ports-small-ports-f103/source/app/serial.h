/* serial.h: the rings between the app and the interrupt of a port's UART, in both directions.
 *
 * A port's uart.h gives four functions, inline: lw_uart_receive(&byte) and lw_uart_send(byte) move one byte, false when
 * there is none or no room; lw_uart_send_interrupt(on) asks for an interrupt when there is room again; lw_uart_idle()
 * says whether the last byte has left. They are called from the interrupt or with interrupts masked. */
#ifndef LW_SERIAL_H
#define LW_SERIAL_H

#include <stdbool.h>

/* The handler of the UART's interrupt, of reception and sending alike. */
void lw_serial_interrupt(void);

/* Whether received bytes wait for lw_port_read(). */
bool lw_serial_waiting(void);

#endif /* LW_SERIAL_H */
