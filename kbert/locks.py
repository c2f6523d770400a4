"""One process at a time writes to the folder of a run."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kbert.errors import RunError

_PATIENCE: Final = 15.0  # seconds
_PAUSE: Final = 0.2


def is_going_on(folder: Path) -> bool:
    """Say whether a process is writing to the folder of an unfinished run."""
    try:
        with alone(folder, patience=0.0):
            return False
    except RunError:
        return True


@contextmanager
def alone(folder: Path, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Keep other processes off a folder; a process that is killed loses its lock.

    Its data workers hold it for some seconds more, hence the patience. Raises `RunError`.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + patience
        while not _lock(handle):
            if time.monotonic() >= until:
                raise RunError(f"{folder}: another process is writing to it; wait, or end that one")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
