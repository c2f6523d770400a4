"""Give a new corpus a place: one build at a time, in a hidden folder beside it at first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graphs.compiled.folder import MANIFEST
from graphs.compiled.locking import building_alone
from graphs.compiled.sealing import scratch_beside
from graphs.errors import GraphError
from graphs.opening import is_there
from kbert.errors import DataError
from kbert.pretraining import manifests


def check_new(target: Path) -> None:
    """Refuse, by `DataError`, what is there, but for an empty folder, and what is no name."""
    if _is_there(target) and not (target.is_dir() and not any(target.iterdir())):
        raise DataError("is there already; name a new folder", file=target)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse, by `DataError`, what is there and may not be replaced, and what is no name."""
    if not _is_there(target):
        return
    if not manifests.is_corpus(target / MANIFEST):
        raise DataError("is there already, and no corpus; name a new folder", file=target)
    if not overwrite:
        raise DataError("is there already; replace it with --overwrite", file=target)


def _is_there(target: Path) -> bool:
    if target.name in ("", "..") or "\0" in str(target):
        raise DataError(f"{str(target)!r}: is no name for a new folder")
    try:
        return is_there(target) or target.is_symlink()
    except GraphError as error:
        raise DataError(str(error)) from None


@contextmanager
def scratch_for(target: Path, *, announce: Callable[[str], None]) -> Iterator[Path]:
    """Make a folder beside `target`, which is gone afterwards, as those of killed builds are.

    Other processes that want to build the same wait, which is announced. Raises `DataError` where
    nothing can be written, there or within the `with` statement.
    """
    try:
        with building_alone(target, announce=announce), scratch_beside(target) as scratch:
            yield scratch
    except GraphError as error:
        raise DataError(str(error)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot be written: {reason}; nothing was changed", file=target) from None
