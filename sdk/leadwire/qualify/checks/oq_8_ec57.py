"""EC57 on a record made by hand, counted by hand.

One beat a second for 400 s, the first at 0.5 s; what is wrong before 5:00 does not count. After it there are 100
beats, of them 94 N, 3 V, 1 S, 1 F, 1 Q. The algorithm calls an N, the F and the Q ventricular, misses a V, finds
another 100 ms late (within the window of 150 ms) and the third 200 ms late, calls the S normal, and finds an S
where no beat is.
"""

from __future__ import annotations

from collections.abc import Iterator

from leadwire.datasets.annotations import Annotation, AnnotationFile
from leadwire.ec57 import CODES, score
from leadwire.qualify.check import Context, Finding, equal

TITLE = "EC57"
REQUIREMENTS = ("LW-VAL-001",)
_HZ = 100
_REFERENCE = {309: "V", 319: "S", 329: "F", 339: "V", 349: "V", 359: "Q"}
_CALLED = {100: "V", 304: "V", 319: "N", 329: "V", 359: "V"}
_LATE_SAMPLES = {339: 10, 349: 20}
_MISSED, _INVENTED = 309, 37000
_EXPECTED = {
    "QRS sensitivity": "98/100",
    "QRS positive predictivity": "98/100",
    "VEB sensitivity": "1/3",
    "VEB positive predictivity": "1/3",
    "VEB false positive rate": "2/97",
    "SVEB sensitivity": "0/1",
    "SVEB positive predictivity": "0/1",
}


def look(context: Context) -> Iterator[Finding]:
    reference = {second: _REFERENCE.get(second, "N") for second in range(400)}
    called = {second: _CALLED.get(second, label) for second, label in reference.items() if second != _MISSED}
    beats = [(second * _HZ + 50 + _LATE_SAMPLES.get(second, 0), label) for second, label in called.items()]
    result = score(
        [
            (
                _file("atr", [(second * _HZ + 50, label) for second, label in reference.items()]),
                _file("tst", sorted([*beats, (_INVENTED, "S")])),
            )
        ]
    )
    found = {one.name: f"{one.numerator}/{one.denominator}" for one in result.gross}
    for name, expected in _EXPECTED.items():
        yield equal(name, expected, found.get(name, "missing"))
    yield equal("one record of no database is NON-STANDARD", True, not result.standard)


def _file(annotator: str, beats: list[tuple[int, str]]) -> AnnotationFile:
    return AnnotationFile(
        record="made",
        annotator=annotator,
        sample_rate_hz=float(_HZ),
        length_samples=400 * _HZ,
        annotations=tuple(Annotation(sample=sample, code=CODES[label]) for sample, label in beats),
    )
