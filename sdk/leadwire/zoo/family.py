"""What a family of the zoo is: settings with limits, ranges for a search, and a function that builds a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

Width = Annotated[int, Field(ge=4, le=256)]
Depth = Annotated[int, Field(ge=1, le=12)]
Kernel = Annotated[int, Field(ge=1, le=63)]
Halvings = Annotated[int, Field(ge=0, le=8)]
Choices: TypeAlias = tuple[int | float | str | bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The values low, low + step, ... up to and including high."""

    low: int | float
    high: int | float
    step: int | float

    @property
    def values(self) -> tuple[int | float, ...]:
        count = round((self.high - self.low) / self.step)
        return tuple(self.low + self.step * index for index in range(count + 1))


Search: TypeAlias = Mapping[str, Span | Choices]
"""By the name of a setting, what a search may try. It is narrower than what the setting allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseHead:
    """Settings of the dense layers before the classes: `dense` hidden units (0: none), and the share of values that
    training drops before them."""

    dense: Annotated[int, Field(ge=0, le=512)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledHead(DenseHead):
    """`positions`: how many places of the window the dense layers tell apart, at most; the signal is averaged to so
    many. 1: where something happens does not matter."""

    positions: Annotated[int, Field(ge=1, le=64)] = 4


DENSE_SEARCH: Final[Search] = {"dense": (0, 8, 16, 24, 32), "dropout": Span(low=0.0, high=0.5, step=0.1)}
POOLED_SEARCH: Final[Search] = {**DENSE_SEARCH, "positions": (1, 2, 4, 6)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a network is built for: a window [samples, channels], `features` more numbers (0: no such input), and
    `outputs` classes, or channels of a signal."""

    samples: int
    channels: int
    features: int
    outputs: int
    names: tuple[str, str] = ("beat", "features")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A module of this package. `build(settings, shape)` gives a keras.Model whose batch normalizations are those of
    training; BadInputError where settings and shape do not go together.

    `gives`: one vector of class probabilities, or a value for every sample of the window. `source`: where the
    architecture was published.
    """

    title: str
    source: str
    settings: type
    search: Search
    build: Callable[[Any, Shape], Any]
    gives: Literal["classes", "samples"] = "classes"
