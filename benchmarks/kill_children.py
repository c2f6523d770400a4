"""A training in a forked process that tells what it is doing, and is killed at some moment of it.

Forking a process that has imported everything saves the seconds that imports take. It must have no
threads, so nothing is computed in it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

Kind = Literal["anywhere", "write", "placing", "never"]
BEGINS, WRITTEN, PLACES, PLACED = "begins", "written", "places", "placed"


@dataclass(frozen=True)
class Moment:
    """When to kill: some seconds after the start, or after the n-th time that something begins."""

    kind: Kind
    after: int = 1
    delay: float = 0.0

    def counts_from(self, events: list[Event]) -> bool:
        """Say whether the delay begins with the last event."""
        name = {"write": BEGINS, "placing": PLACES}.get(self.kind)
        return bool(name) and [event.name for event in events].count(name or "") == self.after


class Event(NamedTuple):
    """What a training told, of which step, and when that was read."""

    name: str
    step: int
    time: float


@dataclass(frozen=True)
class Life:
    """What became of a process: its events, whether it was killed, its status, what it said."""

    events: list[Event]
    killed: bool
    status: int
    said: str
    seconds: float

    @property
    def last(self) -> str:
        """The last thing that it told."""
        return self.events[-1].name if self.events else ""

    @property
    def written(self) -> int:
        """The step of the last checkpoint that was written, or 0."""
        return max((event.step for event in self.events if event.name == WRITTEN), default=0)


def live(work: Callable[[], int], *, temporary: Path, moment: Moment) -> Life:
    """Do `work` in a forked process whose temporary folder is `temporary`, and kill it in time."""
    reading, writing = os.pipe()
    log = temporary / "said"
    start = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reading)
        _be(work, writing, log)
    os.close(writing)
    events, killed = _watch(child, reading, moment, start=start)
    os.close(reading)
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return Life(events, killed[0], killed[1], said, time.monotonic() - start)


def _watch(
    child: int, reading: int, moment: Moment, *, start: float
) -> tuple[list[Event], tuple[bool, int]]:
    """Read events until the moment, or the end; return them, whether it was killed, its status."""
    events: list[Event] = []
    until = start + moment.delay if moment.kind == "anywhere" else None
    rest = b""
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        if not select.select([reading], [], [], left)[0]:
            os.kill(child, signal.SIGKILL)
            until = None  # what it told before is read to its end
            moment = Moment("never")
            continue
        data = os.read(reading, 1 << 16)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            name, step = line.decode().split()
            events.append(Event(name, int(step), time.monotonic()))
            if moment.counts_from(events):
                until = time.monotonic() + moment.delay
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return events, (killed, os.waitstatus_to_exitcode(status))


def _be(work: Callable[[], int], telling: int, log: Path) -> NoReturn:
    """Be the child: say everything to a file, tell of what begins and ends, and end."""
    status = 1
    try:
        handle = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.environ["TMPDIR"], tempfile.tempdir = str(log.parent), None
        _tell_of_writes(telling)
        status = work()
        sys.stdout.flush()
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _tell_of_writes(telling: int) -> None:
    """Let the writing of checkpoints, and the putting in place of a run, tell of themselves."""
    from kbert import checkpoints, run

    def told(whole: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            step = named.get("step", 0)
            os.write(telling, f"{before} {step}\n".encode())
            found = whole(*given, **named)
            os.write(telling, f"{after} {step}\n".encode())
            return found

        return call

    checkpoints.write = told(checkpoints.write, BEGINS, WRITTEN)
    vars(run)["_put_in_place"] = told(run._put_in_place, PLACES, PLACED)
