"""When a training will end: said in a line after some steps, and then ever more rarely."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from kbert import console

_FIRST: Final = 20.0  # seconds until the first line; each later one comes after twice the time
_LEAST_STEPS: Final = 5
_SHORT: Final = 60.0  # seconds; of what ends sooner nothing is said


class Eta:
    """Measure steps, and say how long they take and when the last one ends."""

    def __init__(
        self,
        total: int,
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Begin to count with the first step that is reported, of `total` ones."""
        self._total = total
        self._say, self._clock, self._now = say, clock, now
        self._start: tuple[int, float] | None = None
        self._due = _FIRST

    @classmethod
    def for_log(cls, total: int) -> Eta:
        """Tell the log, unless a person watches, whose progress bar says the same."""
        return cls(total, say=_silent if console.interactive() else console.say)

    def step(self, done: int) -> None:
        """Take note that so many steps are done, and say what that means if a line is due.

        The first step reported is where measuring begins: it takes longer than the others.
        """
        if self._start is None:
            self._start = done, self._clock()
            return
        steps, seconds = done - self._start[0], self._clock() - self._start[1]
        if seconds < self._due or steps < _LEAST_STEPS:
            return
        self._due = 2 * seconds
        pace = seconds / steps
        left = pace * (self._total - done)
        if left < _SHORT:
            return
        self._say(
            f"step {done}/{self._total}: {_shown(pace)} a step, ends at about {self._ends(left)}"
        )

    def _ends(self, seconds: float) -> str:
        now = self._now()
        end = now + timedelta(seconds=seconds)
        return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%H:%M on %d %b %Y}"


def _silent(_: str) -> None:
    """Say nothing."""


def _shown(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1e-3 else f"{1e6 * seconds:.0f} µs"
