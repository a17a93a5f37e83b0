"""Which channels to give up: the least important ones for the multiply-accumulates they save, until few are left.

Channels that stand beside each other in a layer form a dimension of the network, whose size is what shrinks. It shrinks
in bites, to a multiple of so many channels, each bite its least important classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadwire.errors import BadInputError
from leadwire.model.keras_graph import macs_of, shape_of

from .coupling import Coupling, Kept, kept_shape


@dataclass(frozen=True, slots=True)
class Dimension:
    """`layers` whose output channels shrink together, `classes` (names of their first members) that may go."""

    layers: tuple[str, ...]
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A layer that loses channels keeps a multiple of `multiple`, and no fewer than `at_least`."""

    multiple: int
    at_least: int


class Costs:
    """Multiply-accumulates of the model for any channels kept."""

    def __init__(self, coupling: Coupling) -> None:
        self._sites = []
        for site in coupling.sites:
            shapes = [shape_of(one) for one in site.call.inputs]
            if shapes and macs_of(site.call.layer, shapes, shape_of(site.call.outputs[0])):
                self._sites.append((site, shapes[1:]))
        self.all = self.of(np.ones(coupling.count, np.bool_))

    def of(self, kept: Kept) -> int:
        return sum(
            macs_of(site.call.layer, [kept_shape(site.before, kept), *others], kept_shape(site.after, kept))
            for site, others in self._sites
        )


def dimensions_of(coupling: Coupling, layers: Sequence[str]) -> tuple[Dimension, ...]:
    """The dimensions in which channels may go, of the producing layers named alone."""
    roots = {name: coupling.roots(own) for name, own in coupling.producers.items()}
    open_layers = {
        name: tuple(int(root) for root in np.unique(own) if not coupling.reason(int(root)))
        for name, own in roots.items()
    }
    whole = {name: classes for name, classes in open_layers.items() if classes}
    found: list[tuple[set[str], set[int]]] = []
    for name, classes in whole.items():
        touching = [one for one in found if one[1] & set(classes)]
        found = [one for one in found if one not in touching]
        found.append(({name}.union(*(one[0] for one in touching)), set(classes).union(*(one[1] for one in touching))))
    order = list(whole)
    return tuple(
        Dimension(tuple(sorted(names, key=order.index)), tuple(sorted(classes)))
        for names, classes in sorted(found, key=lambda one: min(map(order.index, one[0])))
        if names <= set(layers)
    )


def choose_channels(
    coupling: Coupling,
    dimensions: Sequence[Dimension],
    importance: Mapping[int, float],
    limits: Limits,
    *,
    macs: int | None = None,
    channels: Mapping[str, float] | None = None,
) -> Kept:
    """[channel names] True for those that stay: at most `macs` multiply-accumulates are left, or of each layer the
    number that `channels` says, raised to what `limits` allow.

    BadInputError (2) where the limits leave more multiply-accumulates than asked for.
    """
    roots = coupling.roots(np.arange(coupling.count))
    kept = np.ones(coupling.count, np.bool_)
    if channels is not None:
        for dimension in dimensions:
            while bite := _bite(coupling, roots, kept, dimension, importance, limits):
                smaller = kept & ~np.isin(roots, bite)
                if any(smaller[coupling.producers[name]].sum() < channels[name] for name in dimension.layers):
                    break
                kept = smaller
        return kept
    assert macs is not None
    costs = Costs(coupling)
    left = costs.all
    while left > macs:
        best: tuple[float, Kept, int] | None = None
        for dimension in dimensions:
            bite = _bite(coupling, roots, kept, dimension, importance, limits)
            if not bite:
                continue
            smaller = kept & ~np.isin(roots, bite)
            cost = costs.of(smaller)
            worth = sum(importance[one] for one in bite) / max(1, min(left - cost, left - macs))  # no more is asked for
            if best is None or worth < best[0]:
                best = (worth, smaller, cost)
        if best is None:
            raise BadInputError(
                f"{macs:,} of {costs.all:,} multiply-accumulates cannot be reached: with every layer at its smallest, "
                f"{left:,} are left",
                hint=f"keep a fraction of {left / costs.all:.2f} or more, or lower at_least or multiple",
            )
        _, kept, left = best
    return kept


def _bite(
    coupling: Coupling,
    roots: npt.NDArray[np.int64],
    kept: Kept,
    dimension: Dimension,
    importance: Mapping[int, float],
    limits: Limits,
) -> tuple[int, ...]:
    """The least important classes whose going leaves each layer of a dimension an allowed number; () for none."""
    left = {name: int(kept[coupling.producers[name]].sum()) for name in dimension.layers}
    bite: list[int] = []
    for one in sorted((one for one in dimension.classes if kept[one]), key=lambda one: (importance[one], one)):
        bite.append(one)
        for name in dimension.layers:
            left[name] -= int((roots[coupling.producers[name]] == one).sum())
        if min(left.values()) < max(1, limits.at_least):
            return ()
        if all(count % limits.multiple == 0 for count in left.values()):
            return tuple(bite)
    return ()
