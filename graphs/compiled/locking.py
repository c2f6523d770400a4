"""Let one process at a time build a folder; the others wait, and see what it built."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from graphs.errors import GraphError


@contextmanager
def building_alone(target: Path, *, announce: Callable[[str], None]) -> Iterator[bool]:
    """Let no other process build the folder `target`; say whether one did so just before.

    That we wait for it is announced. The folder above `target` is made. Raises `GraphError` where
    nothing can be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{target}: cannot be written: {error.strerror}; nothing was changed"
        raise GraphError(message) from None
    waiting = f"{target}: another process is building it; waiting"
    lock = target.parent / f".{target.name}.lock"
    with locked(lock, waiting=lambda: announce(waiting)) as waited:
        yield waited


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock file `path`, which is gone afterwards; say whether somebody held it before.

    `waiting` is called once if that is so. A process that is killed loses its lock. Raises
    `GraphError` where the file cannot be made.
    """
    handle, waited = _open(path), False
    try:
        while True:
            if not _lock(handle, path, block=False):
                if not waited:
                    waiting()
                waited = True
                _lock(handle, path, block=True)
            if _is_at(handle, path):
                break
            waited = True  # the one before removed the file that we opened
            os.close(handle)
            handle = _open(path)
        try:
            yield waited
        finally:
            with suppress(OSError):
                path.unlink()
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise GraphError(f"{path.parent}: cannot be written: {error.strerror}") from None


def _lock(handle: int, path: Path, *, block: bool) -> bool:
    """Lock the open file, and say whether that is done; without `block` somebody may hold it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise GraphError(f"{path}: cannot be locked: {error.strerror}") from None
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Say whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
