"""Networks of the zoo as Keras builds them, in one process of its own: shapes, names, folding, what each block does."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from leadwire import zoo

OBSERVE = """
import json, os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_NUM_INTRAOP_THREADS="1")
import keras
import numpy as np
from leadwire import zoo
from leadwire.errors import BadInputError
from leadwire.zoo.shufflenet import shuffle

def ends(family):
    # the first and the last value of every range that a search tries
    spans = {n: t.values if isinstance(t, zoo.Span) else t for n, t in family.search.items()}
    return [{}, {n: v[0] for n, v in spans.items()}, {n: v[-1] for n, v in spans.items()}]

def look(model):
    before_norm = [l.input._keras_history.operation.__class__.__name__ for l in model.layers
                   if isinstance(l, keras.layers.BatchNormalization)]
    return {"inputs": {i.name: i.shape[1:] for i in model.inputs}, "output": model.output_shape[1:],
            "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
            "names": [l.name for l in model.layers], "before_norm": sorted(set(before_norm)),
            "kinds": sorted({type(l).__module__.split(".")[0] + "." + type(l).__name__ for l in model.layers})}

seen = {"families": {}}
for name, family in zoo.FAMILIES.items():
    features, outputs = (19, 5) if family.gives == "classes" else (0, 2)
    built = [zoo.build(zoo.settings(name, t), (96, 2), outputs, features=features) for t in ends(family)]
    alone = zoo.build(zoo.settings(name, {}), (64, 1), 3)
    seen["families"][name] = [look(m) for m in built] + [look(alone)]

keras.utils.set_random_seed(3)
one = zoo.build_for("cnn", {"width": 8}, {"rr": (4,), "ecg": (32, 1)}, 2)
seen["build_for"] = look(one)
keras.utils.set_random_seed(3)
two = zoo.build(zoo.settings("cnn", {"width": 8}), (32, 1), 2, features=4, names=("ecg", "rr"))
seen["same"] = all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights()))

def late(causal):
    tcn = zoo.build(zoo.settings("tcn", {"causal": causal}), (96, 2), 5)
    inner = keras.Model(tcn.input, tcn.get_layer("block3_relu").output)
    x = np.random.default_rng(1).normal(size=(1, 96, 2)).astype("f4")
    y = x.copy(); y[0, 60:] += 1
    change = np.abs(inner.predict(x, verbose=0) - inner.predict(y, verbose=0))[0].max(axis=1)
    return [float(change[:30].max()), float(change[30:].max())]

seen["causal"], seen["both_ways"] = late(True), late(False)
x = keras.Input((3, 6))
mixed = keras.Model(x, shuffle(x, "s", 2)).predict(np.arange(18, dtype="f4").reshape(1, 3, 6), verbose=0)
seen["shuffled"] = mixed[0, 0].tolist()

seen["errors"] = {}
for name, shape, table in (("cnn_gru", (96, 2), {"halvings": 1}), ("cnn", (8, 1), {"positions": 4})):
    try:
        zoo.build(zoo.settings(name, table), shape, 5)
    except BadInputError as error:
        seen["errors"][name] = [str(error), error.hint]
json.dump(seen, open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("zoo") / "seen.json"
    done = subprocess.run(
        [sys.executable, "-P", "-c", OBSERVE, str(out)], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(Path(out).read_text())
    return found


@pytest.mark.parametrize("name", sorted(zoo.FAMILIES))
def test_a_family_over_its_search(seen: dict[str, Any], name: str) -> None:
    classes = zoo.FAMILIES[name].gives == "classes"
    *built, alone = seen["families"][name]
    for one in built:
        assert one["inputs"] == {"beat": [96, 2], **({"features": [19]} if classes else {})}
        assert one["output"] == ([5] if classes else [96, 2])
    assert alone["inputs"] == {"beat": [64, 1]}
    assert alone["output"] == ([3] if classes else [64, 3])
    for one in (*built, alone):
        assert one["before_norm"] and set(one["before_norm"]) <= {"Conv1D", "DepthwiseConv1D"}, "what cannot fold"
        assert all(kind.startswith("keras.") for kind in one["kinds"]), "a layer that a saved file cannot bring along"
    assert len({tuple(one["names"]) for one in built}) > 1, "the search changes nothing"


@pytest.mark.parametrize("name", sorted(zoo.FAMILIES))
def test_every_layer_has_a_name_of_ours(seen: dict[str, Any], name: str) -> None:
    """Names of Keras's own are numbered by what was built before, and names decide the file's bytes."""
    automatic = (
        "conv1d",
        "batch_normalization",
        "re_lu",
        "add",
        "dense",
        "activation",
        "concatenate",
        "dot",
        "softmax",
    )
    for one in seen["families"][name]:
        assert [layer for layer in one["names"] if layer in automatic or layer.rstrip("_0123456789") in automatic] == []


def test_the_page_has_every_family_and_its_parameters(seen: dict[str, Any], root: Path) -> None:
    """What else the page says is compared on the board, in tests/emulated/test_zoo.py."""
    page = (root / "docs" / "manual" / "zoo.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| [`")]
    found = {cells[0].split("`")[1]: int(cells[1].replace(",", "")) for cells in rows}
    assert found == {name: built[0]["parameters"] for name, built in seen["families"].items()}, "run make zoo"
    for name, family in zoo.FAMILIES.items():
        section = page.split(f"\n### {name}\n")[1].split("\n### ")[0]
        for setting in dataclasses.fields(family.settings):
            assert f"| `{setting.name}` | {setting.default} |" in section, "run make zoo"


def test_inputs_of_a_data_set_in_any_order(seen: dict[str, Any]) -> None:
    assert seen["build_for"]["inputs"] == {"ecg": [32, 1], "rr": [4]}
    assert seen["same"], "the same seed gives the same weights"


def test_a_causal_network_does_not_look_ahead(seen: dict[str, Any]) -> None:
    before, after = seen["causal"]
    assert before == 0 < after
    assert min(seen["both_ways"]) > 0


def test_a_shuffle_deals_the_groups_out(seen: dict[str, Any]) -> None:
    assert seen["shuffled"] == [0, 3, 1, 4, 2, 5]


def test_settings_that_do_not_fit_the_window(seen: dict[str, Any]) -> None:
    message, hint = seen["errors"]["cnn_gru"]
    assert "1 halvings leave 48 steps of 96 samples" in message and "at most 32" in message and "more halvings" in hint
    message, hint = seen["errors"]["cnn"]
    assert message == "positions is 4, but the blocks leave 1 of the window"
    assert "1..1" in hint
