"""The checks are checked: a mistake put into a copy of the code must turn its tests red.

Each mutation is one edit in a copy of the repository and the tests that should see it. `make test` runs the first few,
`make mutation` (LEADWIRE_MUTATIONS=all) every one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TIME_LIMIT_S = 300


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


RUNTIME, SDK = "firmware_templates/runtime", "sdk/leadwire"
BOOT, BOOT_FUZZ = "firmware_templates/bootloaders", "tests/fuzz/test_boot_loaders.py"
MLPERF, PROTOCOL = "firmware_templates/mlperf", "tests/unit/mlperf/test_protocol.py"
CORNERS = "tests/kernels/test_kernel_corners.py"
ON_CORE = "tests/emulated/test_kernels_on_core.py"
MUTATIONS = (
    Mutation(
        "requantize rounds once",
        f"{RUNTIME}/requantize.h",
        "(int32_t)(UINT32_C(1) << rescale.right) + (high >> 31)",
        "(int32_t)(UINT32_C(1) << rescale.right)",
        (CORNERS, "tests/kernels/test_requantize.py"),
    ),
    Mutation(
        "a failed endpoint passes",
        f"{SDK}/validate/endpoints.py",
        'if judged.high < margin:\n        return "pass"',
        'if judged.low < margin:\n        return "pass"',
        ("tests/unit/test_validate.py",),
    ),
    Mutation(
        "the run account is not compared",
        f"{SDK}/device/samples.py",
        "if (status.runs, status.io_crc) != (epoch.last_run, epoch.io_crc):",
        "if status.runs != epoch.last_run:",
        ("tests/invalid/test_device_faults.py", "tests/unit/device/test_client.py"),
    ),
    Mutation(
        "a changed file in the bundle is accepted",
        f"{SDK}/evidence/bundle.py",
        "if named[name] != digests[name]:",
        "if not named[name]:",
        ("tests/invalid/test_evidence_tampered.py", "tests/unit/evidence/test_evidence_bundle.py"),
    ),
    Mutation(
        "a padded tap counts as zero",
        f"{RUNTIME}/kernels/conv_2d_s8.c",
        "sums[1] += params->input_zero_point * lw_outside(window, inside, w1);",
        "",
        (CORNERS, "tests/property/test_kernels_against_tflm.py"),
    ),
    Mutation(
        "half goes the wrong way",
        f"{RUNTIME}/requantize.h",
        "const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);",
        "const int32_t threshold = mask >> 1;",
        (CORNERS, "tests/kernels/test_requantize.py", "tests/property/test_kernels_against_tflm.py"),
    ),
    Mutation(
        "a window that overhangs reads zeros instead of zero points",
        f"{RUNTIME}/kernels/columns_s8_dsp.c",
        "const uint32_t zero = (uint32_t)zero_point & 0xffu;",
        "const uint32_t zero = 0u * (uint32_t)zero_point;",
        (CORNERS, ON_CORE),
    ),
    Mutation(
        "assembly adds a product to the neighbour's sum",
        f"{RUNTIME}/kernels/multiply_s8_dsp.c",
        "smlad   r5, r11, r12, r5",
        "smlad   r5, r10, r12, r5",
        (ON_CORE,),
    ),
    Mutation(
        "assembly rounds halves up",
        f"{RUNTIME}/kernels/multiply_row_s8_dsp.c",
        "add     \\\\sum, \\\\sum, \\\\sum, asr #31",
        "add     \\\\sum, \\\\sum, #0",
        (ON_CORE,),
    ),
    Mutation(
        "the linear form of an addition may be one too large",
        f"{SDK}/ops/add_dsp.py",
        "(wanted + 1) << _SHIFT",
        "(wanted + 2) << _SHIFT",
        ("tests/unit/ops/test_add_form.py",),
    ),
    Mutation(
        "an output may lie one row too high over its input",
        f"{SDK}/ops/geometry.py",
        "below=int((written - first[later]).max(initial=nothing_left)),",
        "below=int((written - first[later]).max(initial=nothing_left)) - 4,",
        ("tests/property/test_overlapped_plans.py", ON_CORE),
    ),
    Mutation(
        "softmax takes fewer instructions for small probabilities",
        f"{RUNTIME}/kernels/softmax_s8.c",
        "    return lw_select(lw_some((uint32_t)x), result, INT32_MAX);",
        "    return x == 0 ? INT32_MAX : x < -(1 << 28) ? lw_multiply_high(result, INT32_MAX) : result;",
        (ON_CORE,),
    ),
    Mutation(
        "a table of exponentials ends where the sum still counts them",
        f"{SDK}/ops/softmax.py",
        "if not divide_by_power(value, 12):",
        "if not divide_by_power(value, 14):",
        ("tests/unit/ops/test_choice_of_tables.py", "tests/kernels/test_kernel_corners.py"),
    ),
    Mutation(
        "behind the last taps of a matrix lie zeros instead of its zero point",
        f"{RUNTIME}/kernels/batch_matmul_s8_dsp.c",
        "lw_load_filled(taps, depth & 3, lw_zeros(zero_point))",
        "lw_load_filled(taps, depth & 3, 0)",
        ("tests/property/test_kernels_against_tflm.py",),
    ),
    Mutation(
        "over budget fits",
        f"{SDK}/artifacts/budget.py",
        "line.over == 0",
        "line.over >= 0",
        ("tests/unit/test_budget.py",),
    ),
    Mutation(
        "too few patients pass",
        f"{SDK}/validate/endpoints.py",
        '    if shortages:\n        return "inconclusive", "; ".join(shortages)\n',
        "",
        ("tests/unit/test_validate.py",),
    ),
    Mutation(
        "any model may run on the device",
        f"{SDK}/device/client.py",
        "raise WrongDeviceError(",
        "WrongDeviceError(",
        ("tests/invalid/test_device_faults.py",),
    ),
    Mutation(
        "another chip is written",
        f"{SDK}/flash/__init__.py",
        "        if found != target.unique_id:\n            raise WrongBoardError",
        "        if not found:\n            raise WrongBoardError",
        ("tests/unit/flash/test_flash.py",),
    ),
    Mutation(
        "what was read back is not compared",
        f"{SDK}/flash/__init__.py",
        "if wanted == found:",
        "if wanted or found:",
        ("tests/unit/flash/test_flash.py",),
    ),
    Mutation(
        "programming sets bits",
        f"{SDK}/emulator/flash_memory.py",
        "new = bytes(cell & byte for",
        "new = bytes(byte for",
        ("tests/unit/emulator/test_flash_memory.py",),
    ),
    Mutation(
        "an image with another digest is started",
        f"{BOOT}/mcuboot/image.c",
        "image.valid = image.valid && number(",
        "image.valid = image.valid || number(",
        (BOOT_FUZZ,),
    ),
    Mutation(
        "an entry of the trailer may be longer than the trailer",
        f"{BOOT}/mcuboot/image.c",
        "if (bytes > end - offset) {",
        "if (bytes > slot.length) {",
        (BOOT_FUZZ,),
    ),
    Mutation(
        "an upload goes over the boot loader",
        f"{BOOT}/mcuboot/mcuboot.c",
        "#define SLOT_SECTOR 5u",
        "#define SLOT_SECTOR 1u",
        (BOOT_FUZZ,),
    ),
    Mutation(
        "the boot loader reads anywhere",
        f"{BOOT}/an3155/an3155.c",
        "if (!receive(&count, 1, 0xff) || !is_readable(address, count + 1u)) {",
        "if (!receive(&count, 1, 0xff)) {",
        (BOOT_FUZZ,),
    ),
    Mutation(
        "a tie is rounded up",
        f"{MLPERF}/text.c",
        "(rest == half && (thousandths & 1u) != 0u)",
        "rest == half",
        (PROTOCOL,),
    ),
    Mutation(
        "the input is written once for all runs",
        f"{MLPERF}/session.c",
        "        lw_sample_write(session->buffer);\n        lw_status status",
        "        if (i == 0u) {\n            lw_sample_write(session->buffer);\n        }\n        lw_status status",
        (PROTOCOL,),
    ),
    Mutation(
        "the counter is not read between inferences",
        f"{MLPERF}/session.c",
        "        (void)cycles_now(session);\n        if (status",
        "        if (status",
        (PROTOCOL,),
    ),
    Mutation(
        "a command is cut too soon",
        f"{MLPERF}/session.c",
        "session->command_length < LW_COMMAND_BYTES",
        "session->command_length < LW_COMMAND_BYTES - 1u",
        (PROTOCOL,),
    ),
    Mutation(
        "a gap in a power meter's samples is overlooked",
        f"{SDK}/energy/meters/ppk2.py",
        "if np.any(steps != 1):",
        "if np.any(steps > 2):",
        ("tests/unit/energy/test_meters.py",),
    ),
    Mutation(
        "a simulated meter measures",
        f"{SDK}/pipeline/energy.py",
        'basis="simulated" if simulated else "measured"',
        'basis="measured"',
        ("tests/unit/energy/test_trace_files.py",),
    ),
    Mutation(
        "repeating lessens the meter's own error",
        f"{SDK}/energy/estimate.py",
        "standard_j=limit / sqrt(3.0)",
        "standard_j=limit / sqrt(3.0 * len(windows))",
        ("tests/unit/energy/test_estimate.py",),
    ),
    Mutation(
        "a table is read without its negative half",
        f"{RUNTIME}/kernels/lookup_s8.c",
        "table[(uint8_t)input[i]]",
        "table[input[i] & 127]",
        ("tests/property/test_kernels_against_tflm.py::test_lookup",),
    ),
    Mutation(
        "the reciprocal takes one step of Newton's method less",
        f"{SDK}/ops/fixed_point.py",
        "for _ in range(3):",
        "for _ in range(2):",
        ("tests/property/test_kernels_against_tflm.py::test_every_byte_of_a_table",),
    ),
    Mutation(
        "the loss undisturbed is not taken off",
        f"{SDK}/stats/ratios.py",
        "ratio_loss(sums[..., :half]) - ratio_loss(sums[..., half:])",
        "ratio_loss(sums[..., :half])",
        ("tests/unit/test_stress.py",),
    ),
    Mutation(
        "bootstrap-t forgets Student's own limit",
        f"{SDK}/stats/studentized.py",
        "self.error * max(own, min(-below, most))",
        "self.error * min(-below, most)",
        ("tests/property/test_stats_laws.py::test_swapping_float_and_int8_mirrors_the_interval",),
    ),
    Mutation(
        "a changed protocol may pass",
        f"{SDK}/validate/__init__.py",
        'if state.state == "changed":',
        'if state.state == "unknown":',
        ("tests/unit/test_protocol_scope.py",),
    ),
    Mutation(
        "saturation is seen at one end alone",
        f"{SDK}/validate/divergence.py",
        "((pair.raw == pair.limits[1]) & (error < 0))",
        "((pair.raw == pair.limits[1]) & (error > 0))",
        ("tests/unit/test_divergence.py",),
    ),
    Mutation(
        "noise is scaled by amplitude for power",
        f"{SDK}/datasets/disturb.py",
        "signal / power / 10 ** (snr_db / 10)",
        "signal / power / 10 ** (snr_db / 20)",
        ("tests/unit/datasets/test_disturb.py",),
    ),
    Mutation(
        "every group is the whole test set",
        f"{SDK}/validate/scope.py",
        "np.flatnonzero(groups == group)",
        "np.flatnonzero(groups != '')",
        ("tests/unit/test_protocol_scope.py",),
    ),
    Mutation(
        "a transposed convolution reads a tap beyond the input",
        f"{RUNTIME}/kernels.h",
        "found.place - (places - 1)",
        "found.place - places",
        ("tests/property/test_kernels_against_tflm.py::test_transpose_conv",),
    ),
    Mutation(
        "a block is padded with zeros instead of zero points",
        f"{SDK}/ops/space.py",
        '"value": zero_point_of(model.output(operator)),',
        '"value": 0,',
        ("tests/property/test_kernels_against_tflm.py::test_blocks",),
    ),
    Mutation(
        "the first output of a split is made before the others are read",
        f"{SDK}/ops/runs.py",
        "return tuple(reversed(tuple(calls)))",
        "return tuple(calls)",
        (ON_CORE,),
    ),
)
SHORT = 2


@pytest.fixture(scope="module")
def copy(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what tests read."""
    place = tmp_path_factory.mktemp("mutated") / "leadwire"
    for folder in ("sdk", "firmware_templates", "boards", "validation", "examples", "tests", "docs"):
        shutil.copytree(root / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__", "mutation"))
    for name in ("pyproject.toml", "README.md", "Makefile"):
        shutil.copy(root / name, place / name)
    return place


def run_tests(copy: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "sdk"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize(
    "mutation",
    MUTATIONS if os.environ.get("LEADWIRE_MUTATIONS") == "all" else MUTATIONS[:SHORT],
    ids=lambda one: one.name,
)
def test_a_mistake_turns_a_test_red(copy: Path, mutation: Mutation) -> None:
    target = copy / mutation.file
    sound = target.read_text()
    assert sound.count(mutation.old) >= 1, f"'{mutation.file}' no longer holds the text that this mutation changes"
    target.write_text(sound.replace(mutation.old, mutation.new))
    try:
        done = run_tests(copy, mutation.tests)
    finally:
        target.write_text(sound)
    assert done.returncode == 1, f"the tests did not notice:\n{done.stdout[-2000:]}{done.stderr[-500:]}"
    assert " failed" in done.stdout


@pytest.mark.parametrize("file", sorted({mutation.file for mutation in MUTATIONS}))
def test_every_mutation_has_its_place(root: Path, file: str) -> None:
    """Also those that only `make mutation` runs."""
    text = (root / file).read_text()
    assert all(mutation.old in text for mutation in MUTATIONS if mutation.file == file)
