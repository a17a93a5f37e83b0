"""How long to wait for an answer, learnt from the answers so far (the estimator of RFC 6298, for one serial line)."""

from __future__ import annotations

from .faults import BITS_PER_BYTE

_SHORTEST_S = 0.1
"""An operating system that is busy answers no sooner."""


class RoundTrips:
    """Before the first answer the wait is `first_s`; later the smoothed time and four times its deviation, with the
    time that the bytes take at `baud`, at most `longest_s`."""

    def __init__(self, baud: int, *, first_s: float, longest_s: float) -> None:
        self.first_s, self.longest_s = first_s, longest_s
        self._byte_s = BITS_PER_BYTE / baud
        self._mean_s: float | None = None
        self._deviation_s = 0.0
        self._factor = 1.0

    def seen(self, seconds: float) -> None:
        """A round trip that was not repeated."""
        self._factor = 1.0
        if self._mean_s is None:
            self._mean_s, self._deviation_s = seconds, seconds / 2
            return
        self._deviation_s += (abs(seconds - self._mean_s) - self._deviation_s) / 4
        self._mean_s += (seconds - self._mean_s) / 8

    def back_off(self) -> None:
        """The wait was in vain: the next one is longer."""
        self._factor = min(64.0, 2 * self._factor)

    def timeout_s(self, line_bytes: int) -> float:
        """For an exchange of so many bytes."""
        return min(self.longest_s, self._factor * self.usual_s(line_bytes))

    def usual_s(self, line_bytes: int) -> float:
        """The same without backing off."""
        if self._mean_s is None:
            return self.first_s
        return max(_SHORTEST_S, self._mean_s + 4 * self._deviation_s) + line_bytes * self._byte_s
