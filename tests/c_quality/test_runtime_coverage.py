"""Every line and every branch of runtime/ runs on this computer, by the operators that tests/emulated draws too, and
gives the bytes of TensorFlow Lite Micro on the way.

Compiled by gcc without optimization, counted by gcov. A file that no program calls counts as not covered, so a new
kernel needs its operator in many_operators.py. Of a kernel for Armv7E-M or Armv8.1-M it is the twin in C that runs
here; its assembly and its intrinsics are not C lines of this build and run on the emulated core (tests/emulated).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from few_levels import few_levels
from leadwire.model.tflite import parse_tflite
from many_operators import broad_operators, many_operators, padded_blocks
from single_operator import (
    WARNINGS,
    compile_program,
    every_choice,
    run_program,
    run_tflite,
    run_witness,
    sample_rows,
    spread_plan,
)
from sixteen_bit import long_sums, sixteen_bit

RUNTIME = Path(__file__).resolve().parents[2] / "firmware_templates" / "runtime"
SEEDS = range(2)

pytest.importorskip("tflite_micro", reason="needs the witness: the package tflite-micro")
pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("gcov")), reason="needs gcc and gcov, which are not installed"
)

FAILING = r"""
#include "batch.h"
#include "self_test.h"
static int8_t in[2], out[2];
static lw_status status;
static lw_status infer(void)
{
    out[0] = in[1];
    out[1] = in[0];
    return status;
}
static const lw_tensor input = {.data = in, .bytes = 2};
static const lw_tensor output = {.data = out, .bytes = 2};
int main(void)
{
    const lw_model model = {.inputs = &input, .outputs = &output, .input_count = 1, .output_count = 1, .infer = infer};
    const int8_t given[] = {1, 2, 3, 4};
    const int8_t right[] = {2, 1};
    int8_t made[4];
    if (lw_run_self_test(&model, given, right) != LW_OK ||
        lw_run_self_test(&model, given, given) != LW_ERROR_SELF_TEST) {
        return 1;
    }
    if (lw_run_batch(&model, given, made, 2) != LW_OK || made[0] != 2 || made[3] != 3) {
        return 2;
    }
    status = LW_ERROR_OPERATOR;
    return lw_run_batch(&model, given, made, 2) != status || lw_run_self_test(&model, given, right) != status ? 3 : 0;
}
"""
"""A model of two bytes that swaps them, or fails."""


@dataclass(slots=True)
class Covered:
    """Runs of each line, and of each branch at a line, over all programs."""

    lines: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    branches: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def gaps(self) -> list[str]:
        """What never ran."""
        lines = [f"line {line}" for line, runs in sorted(self.lines.items()) if not runs]
        return lines + [f"line {line} branch {n}" for (line, n), runs in sorted(self.branches.items()) if not runs]


@pytest.fixture(scope="module")
def covered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Covered]:
    """Path below runtime/ to what of it ran."""
    folder = tmp_path_factory.mktemp("coverage")
    instrument = ("-O0", "--coverage", "-fsanitize=address")
    wide = [(seed, sixteen_bit(many_operators(seed, each=12), seed)) for seed in SEEDS]
    packed = [(seed, few_levels(many_operators(seed, each=12), seed)) for seed in SEEDS]
    drawn = [(seed, many_operators(seed, each=12)) for seed in SEEDS]
    broad = [(seed, broad_operators(seed)) for seed in SEEDS]
    for seed, data in [*drawn, *broad, *wide, *packed, (0, long_sums())]:
        model = parse_tflite(data, "many")
        rows = sample_rows(model, seed, count=1)
        expected = run_witness(data, model, rows)
        for number, kernels in enumerate(every_choice(model)):
            turned = tuple(range(len(model.operators))) if number % 2 == seed % 2 else ()
            plan = replace(spread_plan(model, kernels), backward=turned)
            program = compile_program(model, plan, instrument=instrument)
            assert (run_program(program, model, rows) == expected).all(), kernels
    data = padded_blocks()
    model = parse_tflite(data, "padded")
    rows = sample_rows(model, 0, count=1)
    alone = compile_program(model, spread_plan(model), instrument=instrument)
    assert (run_program(alone, model, rows) == run_tflite(data, model, rows)).all()
    (folder / "failing.c").write_text(FAILING)
    sources = [str(RUNTIME / name) for name in ("batch.c", "self_test.c")]
    flags = ["-std=c99", *WARNINGS, *instrument, f"-I{RUNTIME}"]
    subprocess.run(["gcc", *flags, "failing.c", *sources, "-o", "failing"], check=True, cwd=folder)
    subprocess.run([str(folder / "failing")], check=True)
    return counted(folder, program.parents[1])


def counted(*folders: Path) -> dict[str, Covered]:
    """What gcov reads from the .gcda files of some folders."""
    found: dict[str, Covered] = defaultdict(Covered)
    for data in sorted(path for folder in folders for path in folder.glob("*.gcda")):
        done = subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", "--stdout", str(data)],
            check=True, capture_output=True, text=True, cwd=data.parent,
        )  # fmt: skip
        for line in done.stdout.splitlines():
            for file in json.loads(line)["files"]:
                _, inside, name = str(file["file"]).rpartition("runtime/")
                for each in file["lines"] if inside else ():
                    found[name].lines[each["line_number"]] += each["count"]
                    for number, branch in enumerate(each["branches"]):
                        found[name].branches[each["line_number"], number] += branch["count"]
    return found


@pytest.mark.requirement("LW-ENG-001")
def test_every_line_and_branch_of_the_runtime_runs(covered: dict[str, Covered]) -> None:
    sources = {str(path.relative_to(RUNTIME)) for path in RUNTIME.rglob("*.c")}
    assert sources <= covered.keys(), f"never called: {sorted(sources - covered.keys())}"
    gaps = {name: gaps for name, each in sorted(covered.items()) if (gaps := each.gaps())}
    assert not gaps, "\n".join(f"{name}: {', '.join(its)}" for name, its in gaps.items())


def test_a_gap_is_seen(tmp_path: Path) -> None:
    """The count itself, on a file with one line and one branch that never run."""
    (tmp_path / "runtime").mkdir()
    lines = ("int main(int count, char **words)", "{", "    if (count > 1 && words) {", "        return 1;", "    }",
             "    return 0;", "}", "")  # fmt: skip
    (tmp_path / "runtime" / "some.c").write_text("\n".join(lines))
    subprocess.run(["gcc", "-O0", "--coverage", "runtime/some.c", "-o", "some"], check=True, cwd=tmp_path)
    subprocess.run([str(tmp_path / "some")], check=True)
    assert counted(tmp_path)["some.c"].gaps() == ["line 4", "line 3 branch 0", "line 3 branch 2", "line 3 branch 3"]
