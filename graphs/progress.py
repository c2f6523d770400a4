"""How far a long piece of work is, shown on standard error for whoever waits.

On a terminal there is a bar with the time left, elsewhere a line a stage. `tqdm` is imported when a
bar is drawn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

_LARGE = 8 << 20  # bytes of triples that are read in about a second


class Progress(NamedTuple):
    """Say how far a stage of the work has come: `done` of `total`, 0 if that is unknown."""

    stage: str
    done: int
    total: int


class Stages:
    """Show how far each stage of a long piece of work is; used in a `with` statement."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        """Show nothing before the first stage begins; `say` writes a line."""
        self._say = say
        self._stage = ""
        self._started = 0.0
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        """Take note of `progress`."""
        if progress.stage != self._stage:
            self._end()
            self._stage, self._started = progress.stage, time.monotonic()
            if sys.stderr.isatty():
                from tqdm import tqdm

                self._bar = tqdm(
                    desc=progress.stage, total=progress.total or None, unit_scale=True, leave=False
                )
        if self._bar is not None:
            self._bar.total = progress.total or None
            self._bar.update(progress.done - self._bar.n)

    def note(self, line: str) -> None:
        """Write a line between the bars."""
        if self._bar is not None:
            self._bar.clear()
        self._say(f"note: {line}")

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the last stage; of one that failed only the error is told."""
        self._end(failed=kind is not None)

    def _end(self, *, failed: bool = False) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._stage and not failed:
            seconds = time.monotonic() - self._started
            self._say(f"{self._stage}: {seconds:.1f} s")
        self._stage = ""


@contextmanager
def reading(graph: str) -> Iterator[Callable[[int], None] | None]:
    """Give what is to be told of the bytes read of `graph`; None where there is nothing to show."""
    path = Path(graph)
    try:
        size = path.stat().st_size if sys.stderr.isatty() and path.is_file() else 0
    except (OSError, ValueError):  # whoever opens it says so
        size = 0
    if size < _LARGE:
        yield None
        return
    from tqdm import tqdm

    about = f"reading {path.name}"
    with tqdm(desc=about, total=size, unit="B", unit_scale=True, leave=False) as bar:
        yield bar.update
