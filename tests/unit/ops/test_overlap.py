"""How far an output may overlap its input, against the order in which the portable kernels read and write."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leadwire.ops.geometry import Axis, Window, distance_by_position

NOTHING_READ = -(10**9)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Padded as SAME is, by margins in the place of a PAD, or not at all."""

    def axis(longest: int) -> Axis:
        size = draw(st.integers(1, longest))
        same = draw(st.booleans())
        dilation = draw(st.integers(1, 4))
        taps = draw(st.integers(1, 7))
        reach = (taps - 1) * dilation
        margin = (0, 0) if same else (draw(st.integers(0, reach)), draw(st.integers(0, reach)))
        assume(same or size + sum(margin) > reach)
        return Axis(size=size, filter=taps, stride=draw(st.integers(1, 3)), dilation=dilation, same=same, margin=margin)

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
            inside = [
                row * window.x.size + tap
                for row in rows
                for tap in taps
                if 0 <= row < window.y.size and 0 <= tap < window.x.size
            ]
            done += columns * window.output_channels
            if inside:
                steps.append((min(inside) * window.input_channels, done))
            x += columns
    return max(
        (written - min(read for read, _ in steps[i:]) for i, (_, written) in enumerate(steps)), default=NOTHING_READ
    )


@settings(max_examples=300, deadline=None)
@given(windows())
def test_no_byte_is_written_before_it_is_read(window: Window) -> None:
    assert distance_by_position(window, 2).below >= needed(window)


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
