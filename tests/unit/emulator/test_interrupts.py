"""Exception priorities against the rules of ARM DDI 0403, B1.5.4, and against a plain restatement of them."""

from __future__ import annotations

import random

from leadwire.emulator.interrupts import PENDSV, SYSTICK, Interrupts

OPEN = {"primask": 0, "basepri": 0, "faultmask": 0}


def make(**priorities: int) -> Interrupts:
    state = Interrupts()
    for name, priority in priorities.items():
        number = int(name.removeprefix("n"))
        state.enabled.add(number)
        state.set_priority(number, priority)
    return state


def test_lower_priority_value_wins_then_lower_number():
    state = make(n20=0x80, n21=0x40, n22=0x40)
    state.pending |= {20, 21, 22}
    assert state.next(**OPEN) == 21


def test_only_four_bits_of_priority_exist():
    state = make(n20=0x4F, n21=0x40)
    state.pending |= {20, 21}
    assert state.next(**OPEN) == 20


def test_equal_priority_does_not_preempt():
    state = make(n20=0x80, n21=0x80)
    state.enter(20)
    state.pending.add(21)
    assert state.next(**OPEN) is None
    state.leave(20)
    assert state.next(**OPEN) == 21


def test_priority_group_decides_what_preempts():
    state = make(n20=0x90, n21=0x80)
    state.priority_group = 6  # only bit 7 preempts
    state.enter(20)
    state.pending.add(21)
    assert state.next(**OPEN) is None


def test_masks():
    state = make(n20=0x40)
    state.pending |= {20, PENDSV}
    state.set_priority(PENDSV, 0xF0)
    assert state.next(primask=1, basepri=0, faultmask=0) is None
    assert state.wakes(basepri=0, faultmask=0), "PRIMASK holds an interrupt back but WFI ends"
    assert state.next(primask=0, basepri=0x40, faultmask=0) is None
    assert state.next(primask=0, basepri=0x50, faultmask=0) == 20
    assert state.next(primask=0, basepri=0, faultmask=1) is None


def test_disabled_interrupts_stay_pending():
    state = Interrupts()
    state.pending.add(30)
    assert state.next(**OPEN) is None
    state.enabled.add(30)
    assert state.next(**OPEN) == 30


def test_level_asks_again_until_it_falls():
    state = make(n53=0)
    state.set_line(53, True)
    state.enter(53)
    assert 53 not in state.pending
    state.leave(53)
    assert state.next(**OPEN) == 53, "the peripheral still asks"
    state.enter(53)
    state.set_line(53, False)
    state.leave(53)
    assert state.next(**OPEN) is None


def test_level_that_falls_before_it_is_taken_is_forgotten():
    state = make(n53=0)
    state.set_line(53, True)
    state.set_line(53, False)
    assert state.next(**OPEN) is None


def test_against_a_plain_restatement():
    source = random.Random(11)
    for _ in range(500):
        state = Interrupts()
        numbers = source.sample(range(SYSTICK, 60), 6)
        for number in numbers:
            state.enabled.add(number)
            state.set_priority(number, source.randrange(256))
        state.priority_group = source.randrange(8)
        state.pending |= set(source.sample(numbers, 3))
        for number in source.sample(numbers, source.randrange(3)):
            state.enter(number)
        basepri, primask = source.choice((0, source.randrange(256))), source.randrange(2)
        group = ~((1 << (state.priority_group + 1)) - 1)
        limit = 256
        for number in state.active:
            limit = min(limit, state.priority(number) & group)
        if basepri >> 4:
            limit = min(limit, basepri & 0xF0 & group)
        if primask:
            limit = min(limit, 0)
        ranked = sorted((state.priority(n), n) for n in state.pending)
        expected = ranked[0][1] if ranked and ranked[0][0] & group < limit else None
        assert state.next(primask=primask, basepri=basepri, faultmask=0) == expected
