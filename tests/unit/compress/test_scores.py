"""The figures of compression's tables against a count beat by beat, and what their intervals are of."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from leadwire.compress.scores import class_counts, macro_f1, paired_f1
from leadwire.datasets import Dataset
from leadwire.pipeline.compress import BOOTSTRAP
from leadwire.stats import bootstrap_interval, ratio_loss

CLASSES = 4


def f1_of(labels: list[int], decided: list[int], label: int) -> Fraction:
    hits = sum(a == b == label for a, b in zip(labels, decided, strict=True))
    return Fraction(2 * hits, labels.count(label) + decided.count(label))


def dataset_of(labels: np.ndarray, patients: list[str]) -> Dataset:
    names = tuple("NSVF"[:CLASSES])
    return Dataset(
        name="drawn", split="test", input_names=("beat",), inputs=(np.zeros((len(labels), 1), np.float32),),
        labels=labels, label_names=names, patients=tuple(patients), records=tuple(patients),
        times_s=np.arange(len(labels), dtype=np.float64), basis="synthetic", licence="ours",
    )  # fmt: skip


@pytest.fixture
def two_deciders() -> tuple[Dataset, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(5)
    labels = draw.integers(0, CLASSES, 400)
    decided = [np.where(draw.random(400) < share, draw.integers(0, CLASSES, 400), labels) for share in (0.2, 0.3)]
    return dataset_of(labels, [f"p{n % 9}" for n in range(400)]), *decided


def test_what_macro_f1_loses(two_deciders) -> None:
    dataset, before, after = two_deciders
    wanted = [0, 2, 3]
    labels = dataset.labels.tolist()
    lost = sum(f1_of(labels, before.tolist(), one) - f1_of(labels, after.tolist(), one) for one in wanted) / 3
    counts = [class_counts(dataset, one, wanted) for one in (before, after)]
    columns = paired_f1(*counts)
    assert columns.shape == (9, 12)
    assert float(ratio_loss(columns.sum(axis=0))) == pytest.approx(float(lost), abs=1e-15)
    scores = [float(macro_f1(one.sum(axis=0))) for one in counts]
    assert scores[0] - scores[1] == pytest.approx(float(lost), abs=1e-15)


def test_its_interval_is_the_one_that_releases_are_judged_by(two_deciders) -> None:
    """Of few patients: bootstrap-t, and None where a class is neither there nor called."""
    dataset, before, after = two_deciders
    interval = bootstrap_interval(
        paired_f1(*(class_counts(dataset, one, [0, 1]) for one in (before, after))), ratio_loss, BOOTSTRAP
    )
    assert interval is not None
    assert interval.method.startswith("patient bootstrap t,")
    assert interval.low < 0.07 < interval.high
    empty = [class_counts(dataset, one, [0, 7]) for one in (before, after)]
    assert bootstrap_interval(paired_f1(*empty), ratio_loss, BOOTSTRAP) is None
