"""Stage `budget`: the same limits checked three times, each time with better knowledge.

planned   arena of the memory plan, weights and biases of the model (TFLite Micro: its file): both can only grow; each
          memory region on its own
linked    the model's and runtime's sections in the image, the static bound of the stack
measured  latency and the deepest stack that the board reported (basis 'emulated' on an emulated board)

A limit of latency is kept only by a figure of the board itself: QEMU counts instructions and no cycles, so what it
gives is a lower bound, which can break the limit and never keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator

from leadwire.artifacts import Basis, BenchmarkResult, BudgetLine, BudgetReport, FirmwareImage, MemoryPlan
from leadwire.board import Board, list_boards, load_board
from leadwire.errors import BudgetError
from leadwire.model.graph import Model
from leadwire.ops import registry
from leadwire.ops.flash import packed_saving


def check_plan(plan: MemoryPlan, model: Model, board: Board) -> BudgetReport:
    """Planned: the arena against the RAM, constants against the flash that the board grants one model."""
    whole_file = plan.resident_bytes > 0
    lines = (
        BudgetLine(
            resource="flash",
            used=model.size_bytes if whole_file else constant_bytes(model) - packed_saving(model, plan.kernels),
            limit=board.budget.flash_bytes,
            unit="B",
            basis="planned",
            note="the .tflite file; TFLite Micro comes with linking"
            if whole_file
            else "weights and biases; code comes with linking",
        ),
        BudgetLine(
            resource="ram",
            used=plan.arena_bytes - plan.fast_arena_bytes,
            limit=board.budget.ram_bytes,
            unit="B",
            basis="planned",
            note="arena of TFLite Micro; stack comes with linking" if whole_file else "arena; stack comes with linking",
        ),
        *_fast(plan, None if plan.fast is None else plan.fast.used_bytes, "planned"),
    )
    return BudgetReport(
        board_id=board.id, subject_digest=plan.model_digest, basis="planned", lines=lines, peak=_peak(plan, model)
    )


def check_image(image: FirmwareImage, plan: MemoryPlan, board: Board, model: Model | None = None) -> BudgetReport:
    """Linked: what model and runtime take in the image, and the bound of the stack. `model` names the peak operator."""
    stack = image.stack
    unbounded = f"; the stack has no bound: {'; '.join(stack.notes)}" if stack.notes else ""
    lines = (
        _linked_flash(image, board),
        BudgetLine(
            resource="ram",
            used=image.model_ram_bytes + stack.bytes,
            limit=board.budget.ram_bytes,
            unit="B",
            basis="linked",
            note=f"arena and state {_grouped(image.model_ram_bytes)} + stack {'reserve' if image.package else 'bound'} "
            f"{_grouped(stack.bytes)}{unbounded}",
        ),
        *_fast(plan, image.model_fast_bytes, "linked"),
    )
    peak = _peak(plan, model) if model else ""
    return BudgetReport(board_id=board.id, subject_digest=image.digest, basis="linked", lines=lines, peak=peak)


def check_benchmark(
    result: BenchmarkResult, board: Board, image: FirmwareImage | None = None, plan: MemoryPlan | None = None
) -> BudgetReport:
    """Measured: the largest latency seen and, with the `image` that ran, its flash and RAM with the stack measured.

    With its `plan`, also what it has in a second memory region.
    """
    lines = [_latency(result, board)]
    if image is not None:
        stack = result.stack_high_water_bytes
        lines = [
            _linked_flash(image, board),
            BudgetLine(
                resource="ram",
                used=image.model_ram_bytes + stack,
                limit=board.budget.ram_bytes,
                unit="B",
                basis=result.basis,
                note=f"arena and state {_grouped(image.model_ram_bytes)} + stack measured {_grouped(stack)}",
            ),
            *(() if plan is None else _fast(plan, image.model_fast_bytes, "linked")),
            *lines,
        ]
    return BudgetReport(
        board_id=board.id, subject_digest=result.image_digest, basis=result.basis, lines=tuple(lines), peak=""
    )


def require_fit(report: BudgetReport, model: Model) -> BudgetReport:
    """The report itself when it fits, else BudgetError with the table, the peak operator and boards that would do."""
    if report.fits:
        return report
    raise BudgetError(model.name, report.board_id, _table(report), hint=_hint(report, model))


def _fast(plan: MemoryPlan, used: int | None, basis: Basis) -> tuple[BudgetLine, ...]:
    """The second memory region against the model's share of it; nothing where the plan has none."""
    fast = plan.fast
    if fast is None or used is None:
        return ()
    parts = f"tables {_grouped(fast.table_bytes)} + activations {_grouped(fast.arena_bytes)} planned"
    return (
        BudgetLine(
            resource="fast",
            used=used,
            limit=fast.limit_bytes,
            unit="B",
            basis=basis,
            note=f"{fast.region}: {parts}" if fast.used_bytes else f"{fast.region}: nothing gains there",
        ),
    )


def _linked_flash(image: FirmwareImage, board: Board) -> BudgetLine:
    return BudgetLine(
        resource="flash",
        used=image.model_flash_bytes,
        limit=board.budget.flash_bytes,
        unit="B",
        basis="linked",
        note=f"model and runtime; the whole image has {_grouped(image.flash_bytes)}",
    )


def _latency(result: BenchmarkResult, board: Board) -> BudgetLine:
    limit, used = board.budget.latency_us, result.latency_us.max
    counts_instructions = board.emulation is not None and board.emulation.engine == "qemu"
    if counts_instructions and limit is not None and used <= limit:
        return BudgetLine(
            resource="latency",
            used=used,
            limit=None,
            unit="us",
            basis=result.basis,
            note=f"a lower bound from instructions; the limit of {_grouped(limit)} us is not judged here",
        )
    return BudgetLine(
        resource="latency",
        used=used,
        limit=limit,
        unit="us",
        basis=result.basis,
        note=f"largest of {result.inputs} inferences",
        required_basis=board.basis,
    )


def constant_bytes(model: Model) -> int:
    """Each constant once that an operator reads at run time; shapes of RESHAPE and the like are not among them."""
    read = {
        index
        for operator in model.operators
        if not registry.spec(operator.kind).is_no_copy(model, operator)
        for index in operator.inputs
        if index >= 0 and model.tensors[index].is_constant
    }
    return sum(model.tensors[index].size_bytes for index in read)


def _peak(plan: MemoryPlan, model: Model) -> str:
    """The operator during which most is alive: "op 7 CONV_2D 'block2/conv': input 32 768 + output 32 768"."""
    operator = model.operators[plan.peak_operator]
    reused = {tensor for index, tensor in plan.in_place if index == operator.index}
    inputs = {index for index in operator.inputs if index >= 0 and not model.tensors[index].is_constant}
    placed = {p.tensor: p.size_bytes for p in plan.placements}  # less than its size where a PAD is left out
    held = {
        tensor.index: min(tensor.size_bytes, placed.get(tensor.index, tensor.size_bytes)) for tensor in model.tensors
    }
    given = sum(held[index] for index in inputs)
    made = 0 if reused else sum(held[index] for index in operator.outputs)
    if operator.index in plan.overlaps and not reused:
        given_at, made_at = (
            [(p.offset_bytes, p.offset_bytes + p.size_bytes) for p in plan.placements if p.tensor in tensors]
            for tensors in (inputs, operator.outputs[:1])
        )
        made -= sum(max(0, min(end, top) - max(begin, low)) for begin, end in given_at for low, top in made_at)
    parts = {
        "input": given,
        "output": made,
        "scratch": sum(p.size_bytes for p in plan.scratch if p.first_operator <= operator.index <= p.last_operator),
    }
    parts["records of TFLite Micro"] = plan.resident_bytes
    parts["held for later"] = plan.lower_bound_bytes - sum(parts.values())
    return f"{model.describe(operator)}: " + " + ".join(
        f"{name} {_grouped(size)}" for name, size in parts.items() if size > 0
    )


def _table(report: BudgetReport) -> str:
    """One aligned row for each resource that is over its limit or not proven, and the peak under RAM."""
    rows = [line for line in report.lines if line.over > 0 or not line.proven]
    cells = [
        (
            line.resource,
            f"{_grouped(line.used)} {line.unit}",
            f"{_grouped(line.limit or 0)} {line.unit}",
            line.basis,
            f"{_grouped(line.over)} {line.unit} over" if line.over else f"needs {line.required_basis}",
        )
        for line in rows
    ]
    widths = [max(len(cell[column]) for cell in cells) for column in range(5)]
    text = []
    for line, (resource, used, limit, basis, verdict) in zip(rows, cells, strict=True):
        text.append(
            f"  {resource:<{widths[0]}}  {used:>{widths[1]}} of {limit:>{widths[2]}} {basis:<{widths[3]}}  "
            f"{verdict:>{widths[4]}}"
        )
        if line.note:
            text.append(f"  {'':<{widths[0]}}  {line.note}")
        if line.resource == "ram" and report.peak:
            text.append(f"  {'':<{widths[0]}}  peak at {report.peak}")
    return "\n".join(text)


def _hint(report: BudgetReport, model: Model) -> str:
    over = {line.resource for line in report.lines if line.over > 0}
    ways = []
    if "ram" in over:
        ways.append(f"a smaller {report.peak.split(': ', maxsplit=1)[0]}" if report.peak else "smaller activations")
    if "fast" in over:
        ways.append("a larger share of the fast region (fast_bytes)")
    if "flash" in over:
        ways.append(f"fewer weights (most: {model.describe(model.operators[_heaviest(model)])})")
    if "latency" in over:
        macs = registry.macs(model)
        ways.append(f"fewer multiplications (most: {model.describe(model.operators[macs.index(max(macs))])})")
    larger = ", ".join(_boards_that_fit(report))
    ways.append(f"a board with a larger budget: {larger}" if larger else "a larger budget, where the product allows it")
    return ", or ".join(ways)


def _heaviest(model: Model) -> int:
    """The operator with the most bytes of constants."""
    sizes = [
        sum(
            model.tensors[index].size_bytes
            for index in operator.inputs
            if index >= 0 and model.tensors[index].is_constant
        )
        for operator in model.operators
    ]
    return sizes.index(max(sizes))


def _boards_that_fit(report: BudgetReport) -> Iterator[str]:
    """The smallest known boards, but no computers, that grant the flash and RAM of the report."""
    used = {line.resource: line.used for line in report.lines}
    boards = [load_board(board_id) for board_id in list_boards() if board_id != report.board_id]
    fitting = [
        board
        for board in boards
        if board.core != "host"
        and board.budget.flash_bytes >= used.get("flash", 0)
        and board.budget.ram_bytes >= used.get("ram", 0)
    ]
    for board in sorted(fitting, key=lambda board: (board.budget.ram_bytes, board.budget.flash_bytes, board.id))[:3]:
        budget = board.budget
        yield f"{board.id} ({_grouped(budget.flash_bytes)} B flash, {_grouped(budget.ram_bytes)} B RAM)"


def _grouped(number: float) -> str:
    """71204 as '71 204'."""
    return f"{number:,.0f}".replace(",", " ")
