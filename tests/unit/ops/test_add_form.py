"""The one linear form of an ADD against its four roundings, over all 65,536 pairs of inputs."""

from __future__ import annotations

import numpy as np
import pytest

from leadwire.ops.add_dsp import linear_form, sums
from leadwire.ops.arithmetic import Rescale, rescale

LARGEST = 255 << 20


@pytest.mark.parametrize("seed", range(25))
def test_every_pair(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = (float(np.float32(2.0 ** random.uniform(-7, -3))) for _ in range(2))
    out = float(np.float32((a + b) * random.uniform(0.2, 1.0)))
    zeros = tuple(int(z) for z in random.choice([-128, -60, 0, 5, 127], 3))
    common = 2 * max(a, b)
    scales = (rescale(a / common, LARGEST), rescale(b / common, LARGEST), rescale(common / (2**20 * out), 2 * LARGEST))
    assert all(isinstance(scale, Rescale) for scale in scales)
    wanted = sums(scales, zeros, -128, 127)  # type: ignore[arg-type]
    form = linear_form(scales, zeros, (-128, 127), (a / out, b / out))  # type: ignore[arg-type]
    if form is None:
        pytest.skip("no form for these scales: the portable kernel does it")
    values = np.arange(-128, 128, dtype=np.int64)
    first, second = values[:, None] * form[0] + form[2], values[None, :] * form[1]
    assert max(abs(first).max(), abs(second).max()) < 2**31
    total = np.clip(first + second, -(2**31), 2**31 - 1)
    assert (np.clip(total >> 22, -128, 127) == wanted).all()
