"""Several endpoints and one risk: rules that are declared beforehand."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values (Holm, Scandinavian Journal of Statistics 6:65-70, 1979): whatever is below alpha may be said
    on its own, with at most alpha as the risk that any of it is false."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return tuple(adjusted)


def fixed_sequence(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values where endpoints are tested in their order and the first that is not shown ends it (Maurer,
    Hothorn and Lehmacher 1995): each the largest one so far."""
    adjusted, largest = [], 0.0
    for p_value in p_values:
        largest = max(largest, p_value)
        adjusted.append(largest)
    return tuple(adjusted)
