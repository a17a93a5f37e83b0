"""Settings of the zoo: read from a table, kept within limits, and searched within them. Nothing here loads Keras."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from leadwire import zoo
from leadwire.errors import BadInputError, ConfigError

CONTRACT = {
    "attention", "cnn", "cnn_gru", "mobilenet_v1", "mobilenet_v2", "resnet", "shufflenet", "squeeze_excite", "tcn",
    "unet",
}  # fmt: skip


def values(tried: Any) -> tuple[Any, ...]:
    return tried.values if isinstance(tried, zoo.Span) else tried


def test_the_families() -> None:
    assert set(zoo.FAMILIES) == CONTRACT
    for name, family in zoo.FAMILIES.items():
        assert family.settings.__doc__ and family.title and family.source
        assert zoo.family_of(zoo.settings(name, {})) == name
        assert family.gives == ("samples" if name == "unet" else "classes")


def test_the_zoo_loads_no_keras() -> None:
    code = "import sys; from leadwire import zoo; zoo.settings('cnn', {}); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], timeout=120, check=False).returncode == 0


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_a_search_stays_within_the_limits_and_holds_the_default(name: str) -> None:
    family = zoo.FAMILIES[name]
    defaults = zoo.settings(name, {})
    assert {one.name for one in dataclasses.fields(family.settings)} - set(family.search) <= {"output"}
    for setting, tried in family.search.items():
        tries = values(tried)
        assert len(set(tries)) == len(tries) >= 2
        assert getattr(defaults, setting) in [pytest.approx(one) if isinstance(one, float) else one for one in tries]
        for value in tries:
            assert getattr(zoo.settings(name, {setting: value}), setting) == value


def test_a_span_ends_where_it_says() -> None:
    assert zoo.Span(low=8, high=32, step=8).values == (8, 16, 24, 32)
    assert zoo.Span(low=0.0, high=0.5, step=0.1).values == pytest.approx((0, 0.1, 0.2, 0.3, 0.4, 0.5))


def test_all_mistakes_of_a_table_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        zoo.settings("resnet", {"width": 2, "kernel": "5", "stages": 99, "blok": 1}, Path("recipe.toml"))
    assert str(caught.value).splitlines() == [
        "'recipe.toml' has 4 mistakes",
        "  width: input should be greater than or equal to 4, found 2",
        "  stages: input should be less than or equal to 6, found 99",
        "  kernel: input should be a valid integer, found '5'",
        "  blok: unknown key",
    ]


@pytest.mark.parametrize(
    ("family", "table", "found"),
    [
        ("tcn", {"causal": 1}, "causal: input should be a valid boolean"),
        ("unet", {"output": "tanh"}, "output: input should be 'linear', 'softmax' or 'sigmoid'"),
        ("unet", {"dense": 8}, "dense: unknown key"),
        ("cnn", {"dropout": 1.0}, "dropout: input should be less than 1"),
        ("cnn", {"dropout": float("nan")}, "dropout:"),
        ("cnn", {"width": True}, "width: input should be a valid integer"),
        ("cnn", {"width": 16.5}, "width: input should be a valid integer"),
        ("shufflenet", {"groups": 0}, "groups: input should be greater than or equal to 1, found 0"),
    ],
)
def test_a_mistake_is_named(family: str, table: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        zoo.settings(family, table)
    assert found in str(caught.value)
    assert f"settings of {family}" in str(caught.value)


def test_settings_made_in_python_are_checked_too() -> None:
    family = zoo.FAMILIES["cnn"]
    with pytest.raises(ConfigError, match="depth: input should be less than or equal to 12, found 400"):
        zoo.build(family.settings(depth=400), (96, 2), 5)


def bad(name: str, shape: tuple[int, ...], classes: int, features: int = 0, **table: Any) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        zoo.build(zoo.settings(name, table), shape, classes, features=features)
    assert caught.value.hint
    return caught.value


def test_what_does_not_go_together() -> None:
    assert "(1, 96, 2), not (samples, channels)" in str(bad("cnn", (1, 96, 2), 5))
    assert "not (samples, channels)" in str(bad("cnn", (96, 0), 5))
    assert "1 classes" in str(bad("cnn", (96, 2), 1))
    assert "-1 features" in str(bad("cnn", (96, 2), 5, features=-1))
    assert "no place for 19 features" in str(bad("unet", (96, 2), 2, features=19))
    odd = bad("unet", (100, 2), 2)
    assert "100 samples cannot be halved 3 times" in str(odd)
    assert "multiple of 8" in odd.hint
    assert "3 heads cannot share 16 channels" in str(bad("attention", (96, 2), 5, heads=3))


def test_there_is_no_such_family() -> None:
    with pytest.raises(BadInputError, match="no family 'resnext'") as caught:
        zoo.settings("resnext", {})
    assert "resnet" in caught.value.hint
    with pytest.raises(BadInputError, match="settings of no family"):
        zoo.build(object(), (96, 2), 5)
    for shapes in (
        {},
        {"a": (96, 2), "b": (96, 2)},
        {"a": (4,)},
        {"a": (96, 2), "b": (3,), "c": (3,)},
        {"a": (9, 9, 1)},
    ):
        with pytest.raises(BadInputError, match="one window"):
            zoo.build_for("cnn", {}, shapes, 5)
