"""How far an output may overlap its input, against the order in which the portable kernels read and write."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from leadwire.ops.geometry import Axis, Window, distance_by_position


@st.composite
def windows(draw: st.DrawFn) -> Window:
    def axis(longest: int) -> Axis:
        size = draw(st.integers(1, longest))
        same = draw(st.booleans())
        dilation = draw(st.integers(1, 2))
        most = max(1, (size - 1) // dilation + 1)
        taps = draw(st.integers(1, min(7, most if not same else 7)))
        return Axis(size=size, filter=taps, stride=draw(st.integers(1, 3)), dilation=dilation, same=same)

    return Window(
        y=axis(3), x=axis(16), input_channels=draw(st.integers(1, 5)), output_channels=draw(st.integers(1, 7))
    )


def needed(window: Window) -> int:
    """Walks like conv_2d_s8.c: two columns where neither overhangs, else one; each step reads while it writes."""
    steps: list[tuple[int, int]] = []
    (begin, end), done = window.x.inner, 0
    for y in range(window.y.output):
        rows = [y * window.y.stride - window.y.before + r * window.y.dilation for r in range(window.y.filter)]
        x = 0
        while x < window.x.output:
            columns = 2 if x >= begin and x + 1 < end else 1
            taps = [
                column * window.x.stride - window.x.before + c * window.x.dilation
                for column in range(x, x + columns)
                for c in range(window.x.filter)
            ]
            row = min(row for row in rows if 0 <= row < window.y.size)
            tap = min(tap for tap in taps if 0 <= tap < window.x.size)
            done += columns * window.output_channels
            steps.append(((row * window.x.size + tap) * window.input_channels, done))
            x += columns
    return max(written - min(read for read, _ in steps[i:]) for i, (_, written) in enumerate(steps))


@settings(max_examples=300, deadline=None)
@given(windows())
def test_no_byte_is_written_before_it_is_read(window: Window) -> None:
    try:
        wanted = needed(window)
    except ValueError:  # a window that lies in the padding alone, which no model has
        return
    assert distance_by_position(window, 2).below >= wanted


def test_pairs_begin_after_the_padding() -> None:
    """48 positions of 16 channels, 5 taps at stride 2 with padding: the pair of columns 1 and 2 was counted short."""
    window = Window(
        y=Axis(size=1, filter=1, stride=1, dilation=1, same=True),
        x=Axis(size=48, filter=5, stride=2, dilation=1, same=True),
        input_channels=16,
        output_channels=24,
    )
    assert window.x.inner[0] == 1
    assert distance_by_position(window, 2).below >= needed(window) == 3 * 24 - 16
