"""The built-in emulated board: 'flashing' starts it with the image."""

from __future__ import annotations

from leadwire.device.running import Activity, CounterRead
from leadwire.emulator.emulated_board import EmulatedBoard

from .tool import Job, Started


def start(job: Job) -> Started:
    """With a port, the emulator that runs there already ('leadwire emulate') is taken; it counts nothing for us."""
    if job.target.port:
        return Started(port=job.target.port)
    emulated = EmulatedBoard(job.image.elf, job.board)

    def counter_reads() -> tuple[CounterRead, ...]:
        return tuple(CounterRead(count=count, instructions=executed) for count, executed in emulated.counter_reads())

    def activity() -> Activity:
        now, changes = emulated.activity()
        hz = job.board.clock_hz
        return Activity(now_s=now / hz, changes=tuple((cycles / hz, runs, high) for cycles, runs, high in changes))

    return Started(
        port=emulated.port,
        stop=emulated.stop,
        check=emulated.check,
        counter_reads=counter_reads,
        count_instructions=emulated.count_instructions,
        activity=activity,
    )
