"""TOML writes nan and inf; no file that leadwire reads means one, in whatever place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leadwire.board import load_board
from leadwire.change import load_plan
from leadwire.compress import load_recipe
from leadwire.compress.search import load_search
from leadwire.errors import BadInputError, ConfigError
from leadwire.pipeline.energy import load_accuracy
from leadwire.project import load_project
from leadwire.protocols import load_protocol
from leadwire.rig.file import load_rig
from leadwire.zoo import settings

PROTOCOL = """
name = "p"
title = "t"
intended_population = "p"
labels = ["N", "V"]
minimum_patients = 20
[[endpoints]]
name = "accuracy"
measure = "accuracy"
margin = 0.01
rationale = "r"
"""
BOARD = """
inherits = "stm32f405"
id = "mine"
name = "Mine"
flash_tool = "qemu"
"""
PROJECT = """
name = "x"
[model]
path = "m.keras"
[dataset]
source = "mitdb"
[target]
boards = ["host"]
{}
[validation]
protocol = "p"
"""
RIG = '[[board]]\nname = "a"\nboard = "host"\n'
RECIPE = """
name = "small"
[model]
path = "net.keras"
[dataset]
source = "synthetic-ecg"
[[steps]]
kind = "fine_tune"
"""
SEARCH = """
name = "small"
[dataset]
source = "synthetic-ecg"
[space]
families = ["cnn"]
"""
PLAN = """
name = "p"
title = "t"
may_change = ["model"]
[[bounds]]
name = "accuracy"
measure = "accuracy"
rationale = "r"
max_loss = {}
"""
STRESS = "[[stress.conditions]]\nkind = "

FILES: list[tuple[Callable[[Path], Any], str, str]] = [
    *(
        (load_protocol, PROTOCOL + text, key)
        for text, key in (
            ('[[subgroups]]\nname = "age"\nby = "age"\nedges = [{}]', "subgroups[0].edges[0]"),
            ('[[subgroups]]\nname = "age"\nby = "noise"\nedges = [-5.0, {}]', "subgroups[0].edges[1]"),
            ('[[exclusions]]\nreason = "r"\nbefore_s = {}', "exclusions[0].before_s"),
            ("[statistics]\none_sided_alpha = {}", "statistics.one_sided_alpha"),
            ("[statistics]\npower = {}", "statistics.power"),
            ("[host_device]\nmax_differing_ppm = {}", "host_device.max_differing_ppm"),
            ("[record_limit]\nmax_accuracy_loss = {}", "record_limit.max_accuracy_loss"),
            ('[[equivalences]]\nname = "e"\nlabel = "V"\nrationale = "r"\nmargin = {}', "equivalences[0].margin"),
            (
                '[[operating_points]]\nname = "o"\nlabel = "V"\nsensitivity = {}',
                "operating_points[0].sensitivity",
            ),
            (STRESS + '"gain"\nlevels = [{}]', "stress.conditions[0].levels[0]"),
            (STRESS + '"mains"\nlevels = [1]\nfrequency_hz = {}', "stress.conditions[0].frequency_hz"),
            (STRESS + '"gain"\nlevels = [2]\n[stress]\nseconds = {}', "stress.seconds"),
        )
    ),
    (load_protocol, PROTOCOL.replace("0.01", "{}"), "endpoints[0].margin"),
    (load_board, BOARD + "[budget]\nlatency_us = {}", "budget.latency_us"),
    (load_board, BOARD + '[[power]]\nmode = "run"\npower_uw = {}', "power[0].power_uw"),
    (load_board, BOARD + '[[power]]\nmode = "run"\npower_uw = 1\nsupply_mv = {}', "power[0].supply_mv"),
    (load_board, BOARD + '[emulation]\nengine = "unicorn"\nns_per_instruction = {}', "emulation.ns_per_instruction"),
    (load_project, PROJECT.format("latency_us = {}"), "target.latency_us"),
    (load_project, PROJECT.format("[calibration]\npercentile = {}"), "calibration.percentile"),
    (load_project, PROJECT.replace('"m.keras"', '"m.keras"\ntarget_sqnr_db = {}').replace("\n{}\n", "\n"), "model."),
    (load_rig, RIG + "timeouts = {{flash_s = {}}}", "board[0].timeouts.flash_s"),
    (load_rig, RIG + "[retry]\nwait_s = {}", "retry.wait_s"),
    (load_recipe, RECIPE + "learning_rate = {}", "steps[0].learning_rate"),
    (load_recipe, RECIPE + '[[steps]]\nkind = "distill"\nteacher = "t.keras"\ntemperature = {}', "steps[1]."),
    (load_recipe, RECIPE + "[training]\nlearning_rate = {}", "training.learning_rate"),
    (load_recipe, RECIPE + "[training.augment]\ngain = {}", "training.augment.gain"),
    (load_recipe, RECIPE + "[training.class_factors]\nV = {}", "training.class_factors.V"),
    (load_search, SEARCH + "prune = [{}]", "space.prune[0]"),
    (load_search, SEARCH + "learning_rate = {{low = 1e-4, high = {}}}", "space.learning_rate.high"),
    (load_search, SEARCH + "[space.settings.cnn]\nwidth = [{}]", "space.settings.cnn.width"),
    (load_search, SEARCH + "[budget]\nlatency_us = {}", "budget.latency_us"),
    (load_plan, PLAN, "bounds[0].max_loss"),
    (
        load_plan,
        PLAN.format(0.01) + '[[resources]]\nresource = "ram"\nrationale = "r"\nmax_increase = {}',
        "resources[0].max_increase",
    ),
    (load_accuracy, "gain = 0.01\noffset_a = {}", "offset_a"),
]


@pytest.mark.parametrize("number", ["nan", "-nan", "inf", "-inf"])
@pytest.mark.parametrize(("load", "text", "key"), FILES, ids=[f"{load.__name__}-{key}" for load, _, key in FILES])
def test_a_number_is_finite(tmp_path: Path, load: Callable[[Path], Any], text: str, key: str, number: str) -> None:
    path = tmp_path / "file.toml"
    path.write_text(text.format(number))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert any(one.startswith(key) and "finite number" in one for one in caught.value.mistakes), caught.value.mistakes


def test_edges_that_are_finite_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text(PROTOCOL + '[[subgroups]]\nname = "age"\nby = "age"\nedges = [50, 1e3]')
    assert load_protocol(path).subgroups[0].edges == (50.0, 1000.0)


def test_settings_of_a_network_are_finite() -> None:
    with pytest.raises(BadInputError, match=r"dropout: .*finite number"):
        settings("cnn", {"dropout": float("nan")})
