"""One ECG recording: a single lead in millivolts and its labelled beats, from whatever source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LABEL_NAMES = ("N", "S", "V", "F", "Q")
"""AAMI classes of ANSI/AAMI EC57: normal, supraventricular ectopic, ventricular ectopic, fusion, unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`signal_mv` float32 [samples]; `beats` int64 [n], sample numbers of the R positions, strictly rising;
    `labels` int64 [n], indices into LABEL_NAMES. `age` in years, `sex` 'F' or 'M', '' and None where not known.
    """

    record: str
    patient: str
    sample_rate_hz: float
    signal_mv: npt.NDArray[np.float32]
    beats: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    age: float | None = None
    sex: str = ""
    lead: str = ""
