"""Two bundles compared: the figures have a second witness, and a plan judges them."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evidence_example import BEATS, PATIENTS, example_evidence, simulate
from leadwire.change import ChangePlan, compare_bundles, load_plan, render_page
from leadwire.change.plan import Bound, ResourceBound
from leadwire.cli import app
from leadwire.errors import BadInputError, ConfigError, EvidenceError, FileMissingError
from leadwire.evidence.bundle import write_bundle
from leadwire.evidence.keys import generate_key
from leadwire.evidence.record import ToolVersion
from leadwire.protocols import load_protocol
from leadwire.stats import Bootstrap
from leadwire.validate.endpoints import Beats, judge

pytestmark = pytest.mark.requirement("LW-CHG-001")


@dataclass(frozen=True, kw_only=True)
class Bundles:
    key: Path
    old: Path
    worse: Path
    retooled: Path
    fewer: Path
    protocol: Path


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("change")
    generate_key(folder / "key.pem")

    def written(name: str, noise: float = 0.03, **changes: object) -> Path:
        beats = changes.pop("device_beats", None)
        evidence, attachments = example_evidence(folder / name, noise=noise, device_beats=beats)  # type: ignore[arg-type]
        changed = dataclasses.replace(evidence, **changes)  # type: ignore[arg-type]
        return write_bundle(
            changed, attachments, b"<p>", printed=b"%PDF", out=folder / name / "out", key=folder / "key.pem"
        ).path

    return Bundles(
        key=folder / "key.pem",
        old=written("old"),
        worse=written("worse", noise=0.3),
        retooled=written("retooled", tools=(ToolVersion(name="tensorflow", version="9.9"),)),
        fewer=written("fewer", device_beats=range(0, BEATS, 2)),
        protocol=folder / "old" / "protocol.toml",
    )


def plan(**changes: object) -> ChangePlan:
    bounds = (
        Bound(name="accuracy", measure="accuracy", max_loss=0.01, rationale="r"),
        Bound(name="VEB sensitivity", measure="sensitivity", label="V", max_loss=0.05, rationale="r"),
    )
    resources = (ResourceBound(resource="flash", max_increase=0.0, rationale="r"),)
    made = ChangePlan(
        name="plan", title="t", may_change=("model",), bounds=bounds, resources=resources, digest="d" * 64
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_the_same_bundle_twice_is_inside(bundles: Bundles) -> None:
    found = compare_bundles(bundles.old, bundles.old, plan(), bundles.key)
    assert (found.verdict, found.reasons, found.beats, found.patients) == ("inside", (), BEATS, PATIENTS)
    assert not any(one.changed for one in found.subjects)
    assert [one.loss for one in found.figures] == [0.0, 0.0]
    for one in found.figures:  # no flips is no proof of none
        assert one.interval is not None and one.interval.low < 0 < one.interval.high
    assert [one.increase for one in found.resources] == [0.0] * 5


def test_figures_and_intervals_are_those_of_validations_own_code(bundles: Bundles) -> None:
    """`judge` of the validation, given the old model's decisions in the place of float's."""
    reference, patient, before = simulate(noise=0.03)
    _, _, after = simulate(noise=0.3)
    beats = Beats(
        reference=reference,
        float_decided=before[-1].outputs.argmax(axis=1),
        int8_decided=after[-1].outputs.argmax(axis=1),
        patients=[f"p{number:02d}" for number in patient],
        records=[str(200 + number) for number in patient],
        after_learning=np.ones(len(reference), dtype=np.bool_),
    )
    protocol = load_protocol(bundles.protocol)
    rule = protocol.statistics
    bootstrap = Bootstrap(resamples=rule.resamples, seed=rule.seed, method=rule.method)
    found = compare_bundles(bundles.old, bundles.worse)
    assert found.verdict == "" and found.plan == ""
    assert [one.name for one in found.figures] == [endpoint.name for endpoint in protocol.endpoints]
    for one, endpoint in zip(found.figures, protocol.endpoints, strict=True):
        witness = judge(endpoint, protocol, beats, bootstrap)
        assert one.old == pytest.approx(witness.float_value, abs=1e-12)
        assert one.new == pytest.approx(witness.int8_value, abs=1e-12)
        assert one.loss == pytest.approx(witness.loss.estimate, abs=1e-12)
        assert one.interval is not None and witness.judged is not None
        assert one.interval.low == pytest.approx(witness.judged.low, abs=1e-9)
        assert one.interval.high == pytest.approx(witness.judged.high, abs=1e-9)
    right = [float(np.mean(one[-1].outputs.argmax(axis=1) == reference)) for one in (before, after)]
    assert found.figures[0].loss == pytest.approx(right[0] - right[1], abs=1e-12)


@pytest.mark.parametrize("measure", ["ec57_sensitivity", "ec57_positive_predictivity"])
def test_a_bound_on_a_figure_of_ec57_is_judged(bundles: Bundles, tmp_path: Path, measure: str) -> None:
    (tmp_path / "plan.toml").write_text(GOOD.replace('measure = "accuracy"', f'measure = "{measure}"\nlabel = "V"'))
    found = compare_bundles(bundles.old, bundles.worse, load_plan(tmp_path / "plan.toml"), bundles.key).figures[0]
    assert found.loss and found.interval is not None and found.verdict == "outside"


def test_a_worse_model_is_outside_and_says_by_how_much(bundles: Bundles) -> None:
    found = compare_bundles(bundles.old, bundles.worse, plan(), bundles.key)
    assert found.verdict == "outside"
    assert any(
        re.search(r"accuracy: a loss of \d+\.\d\d points .* outside the bound of 1", one) for one in found.reasons
    )
    turned = compare_bundles(bundles.worse, bundles.old, plan(), bundles.key)
    assert turned.figures[0].verdict == "inside" and (turned.figures[0].loss or 0) < 0


def test_between_them_it_is_inconclusive(bundles: Bundles) -> None:
    first = compare_bundles(bundles.old, bundles.worse, plan(), bundles.key).figures[0]
    assert first.interval is not None
    middle = (first.interval.low + first.interval.high) / 2
    bound = Bound(name="accuracy", measure="accuracy", max_loss=middle, rationale="r")
    found = compare_bundles(bundles.old, bundles.worse, plan(bounds=(bound,)), bundles.key)
    assert found.verdict == "inconclusive"


def test_what_the_plan_does_not_name_must_not_change(bundles: Bundles) -> None:
    found = compare_bundles(bundles.old, bundles.retooled, plan(), bundles.key)
    assert found.verdict == "outside"
    assert found.reasons == ("tools changed, which the plan does not provide for",)
    assert (
        compare_bundles(bundles.old, bundles.retooled, plan(may_change=("toolchain",)), bundles.key).verdict == "inside"
    )


def test_another_reference_is_outside(bundles: Bundles) -> None:
    found = compare_bundles(bundles.old, bundles.old, plan(reference="0" * 64), bundles.key)
    assert found.verdict == "outside"
    same = plan(reference=found.old_digest)
    assert compare_bundles(bundles.old, bundles.old, same, bundles.key).verdict == "inside"


def test_beats_that_both_were_judged_on_are_compared(bundles: Bundles) -> None:
    found = compare_bundles(bundles.old, bundles.fewer)
    assert found.beats == BEATS // 2


def test_an_unknown_class_and_resources_that_grow(bundles: Bundles) -> None:
    missing = Bound(name="X", measure="sensitivity", label="X", max_loss=0.1, rationale="r")
    found = compare_bundles(bundles.old, bundles.old, plan(bounds=(missing,)), bundles.key)
    assert found.verdict == "inconclusive" and "no class 'X'" in found.reasons[0]


def test_a_bound_on_a_mean_over_classes(bundles: Bundles) -> None:
    classes = [Bound(name=label, measure="f1", label=label, max_loss=0.5, rationale="r") for label in "NSV"]
    mean = Bound(name="macro F1", measure="macro_f1", labels=("N", "S", "V"), max_loss=0.02, rationale="r")
    found = compare_bundles(bundles.old, bundles.worse, plan(bounds=(mean, *classes)), bundles.key)
    assert found.figures[0].new == pytest.approx(sum(one.new for one in found.figures[1:]) / 3, abs=1e-14)
    assert found.figures[0].interval is not None
    other = dataclasses.replace(mean, labels=("N", "X"))
    missing = compare_bundles(bundles.old, bundles.worse, plan(bounds=(other,)), bundles.key)
    assert "no class 'X'" in missing.reasons[0]


def test_nothing_is_compared_that_does_not_verify(bundles: Bundles, tmp_path: Path) -> None:
    data = bytearray(bundles.old.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "changed.zip").write_bytes(data)
    for pair in ((bundles.old, tmp_path / "changed.zip"), (tmp_path / "changed.zip", bundles.old)):
        with pytest.raises(EvidenceError):
            compare_bundles(*pair)
    generate_key(tmp_path / "other.pem")
    with pytest.raises(EvidenceError, match="trusted key"):
        compare_bundles(bundles.old, bundles.old, None, tmp_path / "other.pem")
    with pytest.raises(FileMissingError):
        compare_bundles(bundles.old, tmp_path / "none.zip")


GOOD = """name = "plan"
title = "t"
may_change = ["model"]
[[bounds]]
name = "accuracy"
measure = "accuracy"
max_loss = 0.01
rationale = "r"
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace('"model"', '"weather"'), "may_change[0]"),
        (GOOD.replace("0.01", "0"), "max_loss"),
        (GOOD.replace("0.01", '"1 %"'), "max_loss"),
        (GOOD.replace("0.01", "nan"), "max_loss"),
        (GOOD + "typo = 1\n", "typo: unknown key"),
        (GOOD + '[[resources]]\nresource = "flash"\nmax_increase = -1\nrationale = "r"\n', "max_increase"),
        (GOOD + GOOD[GOOD.index("[[bounds]]") :], "'accuracy' appears twice"),
        (GOOD.replace('measure = "accuracy"', 'measure = "sensitivity"'), "every other measure belongs to one"),
        (GOOD.replace('measure = "accuracy"', 'measure = "macro_f1"'), "bounds[0].labels: two different classes"),
        (
            GOOD.replace('measure = "accuracy"', 'measure = "ec57_sensitivity"\nlabel = "N"'),
            "bounds[0].label: EC57 has this figure for V and S, not for 'N'",
        ),
        (GOOD.replace('measure = "accuracy"', 'measure = "ec57_sensitivity"\nlabel = ["N"]'), "bounds[0].label"),
        (GOOD + 'labels = ["N", "V"]\n', "bounds[0].labels: two different classes or more for macro_f1, none"),
        ('digest = "x"\n' + GOOD, "digest: unknown key"),
        ('reference = "abc"\n' + GOOD, "reference"),
        (GOOD[: GOOD.index("[[bounds]]")], "bounds"),
        ("[", "not valid TOML"),
    ],
)
def test_a_bad_plan_says_all_its_mistakes(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_plan(tmp_path / "plan.toml")
    assert any(said in mistake for mistake in refused.value.mistakes), refused.value.mistakes


def test_the_verb_ends_with_the_verdict(bundles: Bundles, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(GOOD)
    runner = CliRunner()
    pair = [str(bundles.old), str(bundles.old)]
    arguments = ["diff", *pair, "--plan", str(tmp_path / "plan.toml"), "--key", str(bundles.key)]
    done = runner.invoke(app, [*arguments, "--page", str(tmp_path / "page.html"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["plan"], told["verdict"], told["reasons"]) == ("plan", "inside", [])
    assert "inside" in (tmp_path / "page.html").read_text()
    pair[1] = str(bundles.worse)
    done = runner.invoke(app, ["diff", *pair, "--plan", str(tmp_path / "plan.toml")])
    assert done.exit_code == 7 and "outside" in done.output
    assert runner.invoke(app, ["diff", *pair]).exit_code == 0
    done = runner.invoke(app, ["diff", *pair, "--page", str(bundles.key / "x" / "page.html")])
    assert isinstance(done.exception, BadInputError)


def test_the_page_shows_everything_as_text(bundles: Bundles) -> None:
    found = compare_bundles(bundles.old, bundles.worse, plan(), bundles.key)
    hostile = dataclasses.replace(found, old="<script>x</script>")
    page = render_page(hostile).decode()
    assert "<script" not in page and "&lt;script&gt;" in page
    for one in found.figures:
        assert one.name in page
    assert found.old_digest[:8] in page and render_page(found) == render_page(found)
