"""U-Net: down to a short wide window and up again, with what each length held joined on the way up. It gives a value
for every sample: classes of a segmentation, or a signal without noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from leadwire.errors import BadInputError

from .family import Family, Kernel, Shape, Span, Width
from .layers import convolve, inputs, widened


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetSettings:
    """`depth` times the window is halved and, by repeated samples or a transposed convolution, doubled again. `output`:
    'linear' for a signal, 'softmax' for one class of several at each sample, 'sigmoid' for classes that may overlap."""

    width: Width = 8
    depth: Annotated[int, Field(ge=1, le=6)] = 3
    kernel: Kernel = 5
    upsampling: Literal["nearest", "transposed"] = "nearest"
    output: Literal["linear", "softmax", "sigmoid"] = "linear"


def _build(settings: UNetSettings, shape: Shape) -> Any:
    unit = 1 << settings.depth
    if shape.samples % unit:
        raise BadInputError(
            f"a window of {shape.samples} samples cannot be halved {settings.depth} times",
            hint=f"take a multiple of {unit} samples, or a smaller depth",
        )
    import keras
    from keras import layers

    window, _ = inputs(shape)
    x, skips = window, []
    for level in range(settings.depth):
        skips.append(convolve(x, f"down{level}", widened(settings.width, level), settings.kernel))
        x = layers.MaxPooling1D(2, name=f"down{level}_pool")(skips[-1])
    x = convolve(x, "bottom", widened(settings.width, settings.depth), settings.kernel)
    for level in reversed(range(settings.depth)):
        channels = widened(settings.width, level)
        if settings.upsampling == "nearest":
            x = layers.UpSampling1D(2, name=f"up{level}_repeat")(x)
        else:
            x = layers.Conv1DTranspose(channels, 2, strides=2, activation="relu", name=f"up{level}_transposed")(x)
        x = layers.Concatenate(name=f"up{level}_join")([x, skips[level]])
        x = convolve(x, f"up{level}", channels, settings.kernel)
    x = layers.Conv1D(shape.outputs, 1, name="samples")(x)
    if settings.output != "linear":
        x = layers.Activation(settings.output, name="probabilities")(x)
    return keras.Model(window, x, name="unet")


FAMILY = Family(
    title="U-Net, for segmentation and denoising",
    source="Ronneberger et al., MICCAI 2015, arXiv:1505.04597",
    settings=UNetSettings,
    search={
        "width": Span(low=4, high=24, step=4),
        "depth": (2, 3, 4),
        "kernel": (3, 5, 7, 9),
        "upsampling": ("nearest", "transposed"),
    },
    build=_build,
    gives="samples",
)
