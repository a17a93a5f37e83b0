"""What must be refused is refused, with the error and exit code that the manual names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from leadwire.board import Budget
from leadwire.device.client import DeviceClient
from leadwire.errors import LeadwireError
from leadwire.flash import flash_image
from leadwire.pipeline.alone import build_model, choose, require_budget, require_image
from leadwire.qualify.check import Context, Finding, equal

TITLE = "Refusals"
REQUIREMENTS = ("LW-MEM-001", "LW-LNK-001")


def look(context: Context) -> Iterator[Finding]:
    options = choose("virtual-stm32f405", "aot", "zig")
    small = dataclasses.replace(options.board, budget=Budget(flash_bytes=4096, ram_bytes=65536, latency_us=None))
    tight = dataclasses.replace(options, target=dataclasses.replace(options.target, board=small))
    yield equal(
        "a model over the board's budget",
        "BudgetError, exit 4",
        _refusal(lambda: require_budget(build_model(context.model, tight, context.folder / "tight", context.watcher))),
    )
    image = require_image(build_model(context.model, options, context.folder / "built", context.watcher))
    other = dataclasses.replace(image, model_digest="0" * 64)
    with ExitStack() as stack:
        running = stack.enter_context(flash_image(image, options.target))
        client = stack.enter_context(DeviceClient(running.port, options.board.link.baud))
        yield equal(
            "a board that runs another model", "WrongDeviceError, exit 6", _refusal(lambda: client.expect(other))
        )
        yield equal("the board that runs the model", "accepted", _refusal(lambda: client.expect(image)))
    damaged = context.folder / "damaged.tflite"
    damaged.write_bytes(context.model.read_bytes()[:-2000])
    yield equal("a truncated model", "ModelFileError, exit 2", _refusal(lambda: _build(damaged, context)))


def _build(path: Path, context: Context) -> object:
    return build_model(path, choose("virtual-stm32f405", "aot", "zig"), context.folder / "damaged", context.watcher)


def _refusal(act: Callable[[], object]) -> str:
    try:
        act()
    except LeadwireError as error:
        return f"{type(error).__name__}, exit {error.exit_code}"
    return "accepted"
