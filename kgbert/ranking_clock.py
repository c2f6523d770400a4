"""Tell how far a ranking is and how long it will take, and end it when its time is up.

Blocks that are done stay in the folder, so a ranking that ended early is no loss.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kgbert.ranking import Progress

_EVERY: Final = 20.0  # seconds between two lines


class TimeUp(Exception):
    """The time that was given is spent; what is done is kept."""


class RankingClock:
    """Take what `kgbert.ranking.rank_triples` says after each block."""

    def __init__(
        self,
        *,
        about: str,
        say: Callable[[str], None],
        seconds: float = math.inf,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start now; `say` writes a line, `now` tells the seconds, `seconds` are all there are."""
        self._about = about
        self._say = say
        self._seconds = seconds
        self._now = now
        self._start = self._said = now()
        self._blocks = 0

    def __call__(self, progress: Progress) -> None:
        """Take note of a block. Raises `TimeUp` after the last one that there is time for."""
        self._blocks += 1
        now = self._now()
        left = progress.blocks - progress.done
        if now - self._said >= _EVERY and left:
            self._said = now
            pace = (now - self._start) / self._blocks
            self._say(
                f"{self._about}: {progress.done} of {progress.blocks} blocks,"
                f" about {_time(left * pace)} left"
            )
        if left and now - self._start >= self._seconds:
            raise TimeUp


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
