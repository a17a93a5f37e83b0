"""Each mistake in a protocol file has its sentence, and all are told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadwire.errors import ConfigError, FileMissingError
from leadwire.protocols import load_protocol
from leadwire.stats import fixed_sequence, holm

VALID = """
name = "valid"
title = "t"
intended_population = "p"
labels = ["N", "V"]
minimum_patients = 20
[statistics]
one_sided_alpha = 0.025
resamples = 2000
method = "bca"
[[classes]]
label = "V"
name = "VEB"
not_false_positive = ["N"]
[[endpoints]]
name = "VEB sensitivity"
measure = "sensitivity"
label = "V"
margin = 0.02
rationale = "r"
"""

MISTAKES = [
    ('name = "valid"', 'name = "Not Valid"', "name: "),
    ('title = "t"', "", "title: missing"),
    ('title = "t"', 'titel = "t"', "titel: unknown key"),
    ('title = "t"', 'title = "t"\ndigest = "00"', "digest: unknown key"),
    ('labels = ["N", "V"]', 'labels = ["V", "V"]', "labels: 'V' appears 2 times"),
    ('labels = ["N", "V"]', 'labels = ["V"]', "labels: "),
    ('labels = ["N", "V"]', "labels = 5", "labels: "),
    ("minimum_patients = 20", "minimum_patients = 1", "minimum_patients: "),
    ("minimum_patients = 20", "minimum_patients = 2.5", "minimum_patients: "),
    ("one_sided_alpha = 0.025", "one_sided_alpha = 0.6", "statistics.one_sided_alpha: "),
    ("one_sided_alpha = 0.025", "one_sided_alpha = 0.0", "statistics.one_sided_alpha: "),
    ("resamples = 2000", "resamples = 10", "statistics.resamples: "),
    ("resamples = 2000", "resamples = 2000000000", "statistics.resamples: "),
    ('method = "bca"', 'method = "jackknife"', "statistics.method: "),
    ('method = "bca"', 'method = "bca"\nseed = -1', "statistics.seed: "),
    ('label = "V"\nname', 'label = "X"\nname', "classes[0].label: 'X' is none of the labels N, V"),
    ('["N"]', '["V"]', "classes[0].not_false_positive: 'V' cannot be excused from itself"),
    ('["N"]', '["Z"]', "classes[0].not_false_positive: 'Z' is none of the labels"),
    ('measure = "sensitivity"', 'measure = "auc"', "endpoints[0].measure: "),
    ('measure = "sensitivity"', 'measure = "accuracy"', "endpoints[0].label: accuracy is over all classes"),
    ('label = "V"\nmargin', "margin", "endpoints[0].label: missing; sensitivity belongs to a class"),
    ('label = "V"\nmargin', 'label = "Q"\nmargin', "endpoints[0].label: 'Q' is none of the labels"),
    *(
        ('measure = "sensitivity"\nlabel = "V"', f"measure = {text}", f"endpoints[0].{said}")
        for text, said in (
            ('"macro_f1"', "labels: missing; macro_f1 is the mean over two classes or more"),
            ('"macro_f1"\nlabels = ["V"]', "labels: missing; macro_f1 is the mean over two"),
            ('"macro_f1"\nlabels = ["V", "V"]', "labels: 'V' appears 2 times"),
            ('"macro_f1"\nlabels = ["N", "X"]', "labels: 'X' is none of the labels N, V"),
            ('"macro_f1"\nlabels = "N V"', "labels: "),
            ('"macro_f1"\nlabels = ["N", 3]', "labels[1]: "),
            ('"macro_f1"\nlabel = "V"\nlabels = ["N", "V"]', "label: macro_f1 is over several classes"),
            ('"f1"\nlabel = "V"\nlabels = ["N", "V"]', "labels: is for macro_f1 alone"),
        )
    ),
    ("margin = 0.02", "margin = 2", "endpoints[0].margin: "),
    ("margin = 0.02", "margin = 0.0", "endpoints[0].margin: "),
    ("margin = 0.02", "margin = 1979-05-27", "endpoints[0].margin: "),
    ('rationale = "r"', "", "endpoints[0].rationale: missing"),
    ('rationale = "r"', 'rationale = "r"\nseverity = 3', "endpoints[0].severity: unknown key"),
    ("[[endpoints]]", "[host_device]\nmax_abs_lsb = 256\n[[endpoints]]", "host_device.max_abs_lsb: "),
    ("[[endpoints]]", '[host_device]\nwitness = "xnnpack"\n[[endpoints]]', "host_device.witness: "),
    ("[[endpoints]]", "[record_limit]\n[[endpoints]]", "record_limit.max_accuracy_loss: missing"),
    (
        'rationale = "r"',
        'rationale = "r"\npopulation = "men"',
        "endpoints[0].population: 'men' is none of the populations",
    ),
    ("[[endpoints]]", '[[exclusions]]\nreason = "all"\n[[endpoints]]', "exclusions[0]: excludes everything"),
    (
        "[[endpoints]]",
        '[[exclusions]]\nreason = "x"\nlabels = ["P"]\n[[endpoints]]',
        "exclusions[0].labels: 'P' is none",
    ),
    ("[[endpoints]]", '[[exclusions]]\nreason = "x"\nbefore_s = -1.0\n[[endpoints]]', "exclusions[0].before_s: "),
    (
        "[[endpoints]]",
        '[[populations]]\nname = "a"\ndescription = "d"\n[[endpoints]]',
        "populations[0]: 'a' is the whole test set",
    ),
    ("[[endpoints]]", '[[subgroups]]\nname = "a"\nby = "age"\n[[endpoints]]', "subgroups[0].edges: must be given"),
    (
        "[[endpoints]]",
        '[[subgroups]]\nname = "s"\nby = "sex"\nedges = [1.0]\n[[endpoints]]',
        "subgroups[0].edges: are for age and noise alone",
    ),
    (
        "[[endpoints]]",
        '[[subgroups]]\nname = "a"\nby = "age"\nedges = [70, 50]\n[[endpoints]]',
        "subgroups[0].edges: must rise",
    ),
    ("[[endpoints]]", '[[subgroups]]\nname = "a"\nby = "weight"\n[[endpoints]]', "subgroups[0].by: "),
    ("[[endpoints]]", "[stress]\nseed = 1\n[[endpoints]]", "stress.conditions: missing"),
    *(
        (
            "[[endpoints]]",
            f"[[stress.conditions]]\nkind = {condition}\n[[endpoints]]",
            f"stress.conditions[0]{sentence}",
        )
        for condition, sentence in (
            ('"muscle"\nlevels = []', ".levels: "),
            ('"muscle"\nlevels = [6, 6]', ".levels: each level once"),
            ('"gain"\nlevels = [0.0]', ".levels: 0 is outside 0.01 to 100 (times)"),
            ('"mains"\nlevels = [0.1]', ".frequency_hz: missing"),
            ('"muscle"\nfrequency_hz = 50\nlevels = [6]', ".frequency_hz: is for mains alone"),
            ('"noise_record"\nlevels = [6]', ".record: missing"),
            ('"muscle"\nsignal = 1\nlevels = [6]', ": signal and sha256 are for noise_record alone"),
            ('"thunder"\nlevels = [6]', ".kind: "),
        )
    ),
    (
        "[[endpoints]]",
        '[[operating_points]]\nname = "o"\nlabel = "S"\nsensitivity = 0.9\n[[endpoints]]',
        "operating_points[0].label: 'S' is none of the labels",
    ),
    (
        "[[endpoints]]",
        '[[operating_points]]\nname = "o"\nlabel = "V"\nsensitivity = 1.0\n[[endpoints]]',
        "operating_points[0].sensitivity: ",
    ),
]


def mistakes_of(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_protocol(path)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


def test_the_text_without_mistakes_loads(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(VALID)
    assert load_protocol(path).name == "valid"


@pytest.mark.parametrize(("right", "wrong", "sentence"), MISTAKES, ids=[wrong or right for right, wrong, _ in MISTAKES])
def test_one_mistake_is_named(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    assert VALID.count(right) == 1
    found = mistakes_of(tmp_path / "p.toml", VALID.replace(right, wrong))
    assert any(mistake.startswith(sentence) for mistake in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = VALID.replace("margin = 0.02", "margin = 7").replace('["N"]', '["Z"]').replace('title = "t"', "colour = 1")
    found = mistakes_of(tmp_path / "p.toml", text)
    for sentence in ("endpoints[0].margin", "classes[0].not_false_positive", "title: missing", "colour: unknown key"):
        assert any(mistake.startswith(sentence) for mistake in found), (sentence, found)


@pytest.mark.parametrize(
    ("rule", "alpha", "endpoints", "least"),
    [
        ("all", 0.0005, 1, 2001),
        ("hierarchical", 0.0005, 9, 2001),
        ("all", 0.001, 100, 1001),
        ("holm", 0.0005, 1, 2001),
        ("holm", 0.0005, 7, 14_007),
        ("holm", 0.025, 100, 4102),
        ("holm", 0.0005, 49, 98_049),
    ],
)
def test_so_many_resamples_that_a_p_can_be_below_alpha(
    tmp_path: Path, rule: str, alpha: float, endpoints: int, least: int
) -> None:
    path = tmp_path / "p.toml"
    head, one = VALID.split("[[endpoints]]")
    text = head.replace("0.025", f'{alpha}\nmultiplicity = "{rule}"') + "".join(
        "[[endpoints]]" + one.replace("VEB sens", f"{number} VEB sens") for number in range(endpoints)
    )
    (found,) = mistakes_of(path, text.replace("resamples = 2000", f"resamples = {least - 1}"))
    assert found.startswith(f"statistics.resamples: {least - 1} cannot show a p")
    assert f"below {alpha:g}; set {least} or more, or a larger one_sided_alpha" in found
    path.write_text(text.replace("resamples = 2000", f"resamples = {least}"))
    load_protocol(path)
    smallest = 1 / (least * (1 - alpha) + 1)  # of an interval with as many undefined resamples as there may be
    assert max(holm([smallest] * endpoints) if rule == "holm" else fixed_sequence([smallest] * endpoints)) < alpha


def test_more_endpoints_than_any_resamples_can_show(tmp_path: Path) -> None:
    head, one = VALID.split("[[endpoints]]")
    text = head.replace("0.025", '0.0005\nmultiplicity = "holm"').replace("resamples = 2000", "resamples = 100000")
    text += "".join("[[endpoints]]" + one.replace("VEB sens", f"{number} VEB sens") for number in range(50))
    (found,) = mistakes_of(tmp_path / "p.toml", text)
    assert "of 50 endpoints by Holm below 0.0005; take fewer endpoints, or a larger one_sided_alpha" in found


def test_no_endpoint_means_nothing_is_judged(tmp_path: Path) -> None:
    text = VALID.split("[[endpoints]]")[0]
    assert "endpoints: missing" in mistakes_of(tmp_path / "p.toml", text)


def test_two_endpoints_of_one_name_are_told(tmp_path: Path) -> None:
    text = VALID + "[[endpoints]]" + VALID.split("[[endpoints]]")[1]
    assert "endpoints.name: 'VEB sensitivity' appears 2 times" in mistakes_of(tmp_path / "p.toml", text)


@pytest.mark.parametrize("data", [b"name = ", b"\xff\xfe\x00", b"a = 1\na = 2", b"[" * 100_000, b"labels = {}\x00"])
def test_a_file_that_is_not_toml(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        load_protocol(path)


@pytest.mark.parametrize("reference", ["nowhere", "../protocols/arrhythmia-mitdb", "", "/etc/passwd", "nowhere.toml"])
def test_a_protocol_that_is_not_there(reference: str) -> None:
    with pytest.raises(FileMissingError):
        load_protocol(reference)
    if reference == "nowhere":
        with pytest.raises(FileMissingError) as caught:
            load_protocol(reference)
        assert "arrhythmia-mitdb" in caught.value.hint
