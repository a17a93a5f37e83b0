"""The bench firmware's own C (main, bench, smp, stream, ...) as a process of this machine, behind a real terminal.

Its port is a socket instead of a UART; a reset starts the program anew. Any model in C can be linked in.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leadwire.resources import FIRMWARE_TEMPLATES

APP = FIRMWARE_TEMPLATES / "app"
BUILD = bytes(range(16))
PARTS = ("main", "bench", "cbor", "cell", "correct", "crc", "frame", "smp", "stack", "stream")
MODEL_H = '#include <stddef.h>\n#include "leadwire.h"\nextern const lw_model LW_MODEL;\n'
PORT_C = """
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "port.h"
static uint32_t ticks, stack[256];
void lw_port_init(void) {}
size_t lw_port_read(uint8_t *bytes, size_t capacity)
{
    struct pollfd input = {0, POLLIN, 0};
    if (poll(&input, 1, 0) <= 0) return 0;
    ssize_t count = read(0, bytes, capacity);
    if (count <= 0) exit(0);
    return (size_t)count;
}
void lw_port_write(const uint8_t *bytes, size_t length)
{
    if (write(1, bytes, length) < 0) exit(0);
}
void lw_port_idle(void)
{
    struct pollfd input = {0, POLLIN, 0};
    poll(&input, 1, 100);
}
uint32_t lw_port_cycles(void) { return ticks += 7; }
uint32_t lw_port_cycles_hz(void) { return 1000000; }
const char *lw_port_cycles_name(void) { return "sevens"; }
size_t lw_port_unique_id(uint8_t *bytes, size_t capacity) { bytes[0] = 0xab; return capacity ? 1 : 0; }
uint32_t *lw_port_stack_bottom(void) { return stack; }
uint32_t *lw_port_stack_top(void) { return stack + 256; }
void lw_port_marker(bool on) { (void)on; }
void lw_port_drain(void) {}
static void restart(const char *cause)
{
    const char *other = getenv("OTHER_FIRMWARE"); /* flashed meanwhile, once there is such a file */
    execl(other != NULL && access(other, X_OK) == 0 ? other : "/proc/self/exe", "bench", cause, (char *)0);
}
void lw_port_reset(void) { restart("1"); }
lw_reset_cause lw_port_reset_cause(void)
{
    char line[64] = {0}; /* the program's name, its end, and the cause in the first argument */
    int file = open("/proc/self/cmdline", O_RDONLY);
    ssize_t count = read(file, line, sizeof line - 1);
    close(file);
    size_t at = strlen(line) + 1;
    return (ssize_t)at < count ? (lw_reset_cause)(line[at] - '0') : LW_RESET_UNKNOWN;
}
static void bark(int number)
{
    (void)number;
    restart("2");
}
static uint32_t patience_ms;
bool lw_port_watchdog_start(uint32_t timeout_ms)
{
    struct sigaction action = {.sa_handler = bark, .sa_flags = SA_NODEFER};
    patience_ms = timeout_ms < 400 ? timeout_ms : 400; /* tests do not wait longer */
    sigaction(SIGALRM, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    lw_port_watchdog_feed();
    return true;
}
void lw_port_watchdog_feed(void)
{
    struct itimerval timer = {{0, 0}, {0, (suseconds_t)patience_ms * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}
"""

SMALL_INPUT_BYTES, SMALL_OUTPUT_BYTES = 187, 5
SMALL_MODEL_C = """
#include "model.h"
static int8_t in[187], out[5];
static const lw_tensor inputs[] = {{"x", in, 187, {187}, 1, 1, 1.0f, 0}};
static const lw_tensor outputs[] = {{"y", out, 5, {5}, 1, 1, 1.0f, 0}};
static const lw_operator_output whole = {out, 5};
static const lw_operator operators[] = {{"MUL", &whole, 1}};
static lw_status nothing(void) { return LW_OK; }
static lw_status infer(void)
{
    for (int k = 0; k < 5; k++) {
        uint8_t sum = (uint8_t)k;
        for (int i = 0; i < 187; i++) sum = (uint8_t)(sum * 5 + (uint8_t)in[i]);
        out[k] = (int8_t)sum;
        in[k] = 0; /* an input does not outlive its run */
    }
    return LW_OK;
}
static lw_status step(uint16_t index) { (void)index; return infer(); }
const lw_model LW_MODEL = {"small", "leadwire test aot", {1, 2, 3}, 192, 1, 1, 1, 0, inputs, outputs, operators, 0,
                           nothing, infer, step, nothing, nothing, 0};
"""


def small_output(data: bytes) -> bytes:
    """The small model again, in Python."""
    data, found = bytearray(data), bytearray()
    for k in range(SMALL_OUTPUT_BYTES):
        total = k
        for byte in data:
            total = (total * 5 + byte) & 0xFF
        found.append(total)
        data[k] = 0
    return bytes(found)


def compile_firmware(folder: Path, model_c: str, *flags: str) -> Path:
    """The program; skips where it cannot be made."""
    compiler = shutil.which("gcc")
    if compiler is None or not Path("/proc/self/exe").exists():
        pytest.skip("needs gcc and /proc")
    for name, text in (("model.h", MODEL_H), ("model.c", model_c), ("port.c", PORT_C)):
        (folder / name).write_text(text)
    defines = [
        f"-DLW_BUILD_ID={','.join(map(str, BUILD))}",
        '-DLW_BOARD_ID="host-process"',
        "-DLW_MODEL=lw_model_test",
        '-DLW_MODEL_DIGEST="00"',
    ]
    subprocess.run(
        [compiler, "-O1", "-fsanitize=undefined,address", *defines, *flags, f"-I{folder}", f"-I{APP}",
         f"-I{FIRMWARE_TEMPLATES / 'runtime'}", "-o", str(folder / "bench"),
         *(str(APP / f"{part}.c") for part in PARTS), str(folder / "model.c"), str(folder / "port.c")],
        check=True, timeout=120,
    )  # fmt: skip
    return folder / "bench"


Damage = Callable[[bytes], bytes]


@contextmanager
def device(program: Path, damage: Damage = bytes) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(port, process): the firmware behind a pseudo-terminal; every piece of bytes goes through `damage`."""
    master, slave = os.openpty()
    tty.setraw(slave)
    near, far = socket.socketpair()
    process = subprocess.Popen([str(program)], stdin=far, stdout=far, stderr=subprocess.PIPE)
    far.close()

    def pump() -> None:
        while True:
            for ready in select.select([master, near], [], [], 5)[0]:
                try:
                    data = os.read(master, 4096) if ready == master else near.recv(4096)
                    if not data:
                        return
                    (near.sendall if ready == master else lambda piece: os.write(master, piece))(damage(data))
                except OSError:
                    return

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave), process
    finally:
        process.send_signal(signal.SIGCONT)
        near.shutdown(socket.SHUT_RDWR)
        _, complaints = process.communicate(timeout=10)
        thread.join(10)
        for descriptor in (master, slave):
            os.close(descriptor)
        near.close()
    assert complaints == b""
