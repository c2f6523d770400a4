"""Give a new corpus a place: one build at a time, in a hidden folder beside it at first."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from graphs.compiled.folder import MANIFEST
from graphs.compiled.locking import locked
from graphs.errors import GraphError
from kbert.errors import DataError
from kbert.pretraining import manifests


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse, by `DataError`, what is there and may not be replaced."""
    if target.name in ("", "..") or "\0" in str(target):
        raise DataError(f"{str(target)!r}: is no name for a new folder")
    if not (target.exists() or target.is_symlink()):
        return
    if not manifests.is_corpus(target / MANIFEST):
        raise DataError("is there already, and no corpus; name a new folder", file=target)
    if not overwrite:
        raise DataError("is there already; replace it with --overwrite", file=target)


@contextmanager
def scratch_beside(target: Path, *, announce: Callable[[str], None]) -> Iterator[Path]:
    """Make a folder beside `target`, which is gone afterwards, as those of killed builds are.

    Other processes that want to build the same wait, which is announced. Raises `DataError` where
    nothing can be written, there or within the `with` statement.
    """
    prefix = f".{target.name}.partial-"
    waiting = f"{target}: another process is building it; waiting"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / f".{target.name}.lock", waiting=lambda: announce(waiting)):
            for left in target.parent.glob(f"{escape(prefix)}{'[0-9a-f]' * 8}"):
                shutil.rmtree(left, ignore_errors=True)
            scratch = target.parent / f"{prefix}{secrets.token_hex(4)}"
            scratch.mkdir()
            try:
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except GraphError as error:
        raise DataError(str(error)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot be written: {reason}; nothing was changed", file=target) from None
