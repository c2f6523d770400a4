"""Why a training is to end early: a signal, or its time is over. It ends after the step it is in.

The first Ctrl-C or SIGTERM asks for the end; a second Ctrl-C is the usual interrupt, at once.
"""

from __future__ import annotations

import enum
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop(enum.IntEnum):
    """What asked for the end; of several the greatest counts."""

    NONE = 0
    TIME = 1
    TERMINATED = 2
    INTERRUPTED = 3

    @property
    def status(self) -> int:
        """The exit status: 0 for the time limit, else 128 and the signal's number, as in shells."""
        return {Stop.TERMINATED: 143, Stop.INTERRUPTED: 130}.get(self, 0)

    @property
    def reason(self) -> str:
        """Say it."""
        names = {Stop.TIME: "--time-limit", Stop.TERMINATED: "SIGTERM", Stop.INTERRUPTED: "Ctrl-C"}
        return names.get(self, "")


class Stops:
    """Notices what asks for the end, from `start` of `time.monotonic` on."""

    def __init__(self, *, minutes: float | None, start: float) -> None:
        """Set the time limit, if there is one."""
        self._until = None if minutes is None else start + 60 * minutes
        self._asked = Stop.NONE

    def asked(self) -> Stop:
        """Say what asked this process, so far."""
        if self._asked is Stop.NONE and self._until is not None and time.monotonic() > self._until:
            self._asked = Stop.TIME
        return self._asked

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals, and give back their handlers at the end; only a main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                if handler is not None:  # one that is none of Python's
                    signal.signal(number, handler)

    def listen(self) -> None:
        """Take signals again, within `listening`, from whoever took them meanwhile."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as nohup asks for
                    signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._asked is Stop.INTERRUPTED:
                raise KeyboardInterrupt
            self._asked = Stop.INTERRUPTED
        else:
            self._asked = max(self._asked, Stop.TERMINATED)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
