"""Write a file so that it is the old one, complete, or the new one, complete.

What is written goes to a new file beside the target; only when all of it has reached the disk does
it take the target's name. A device or a pipe cannot be replaced and is written to directly.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from graphs.disk import reason
from graphs.errors import GraphError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary file that takes the place of `path` when the block ends without an exception.

    After an exception nothing is left of it, and `path` is as it was. A symbolic link stays; the
    file that it names is replaced. Raises `GraphError` where `path` cannot be written.
    """
    target = Path(path)
    try:
        # Follows a link, which replacing would otherwise turn into a file.
        target = target.resolve()
        if target.is_dir():
            raise GraphError(f"{path}: is a folder; name a file")
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
        else:
            with _beside(target) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise GraphError(f"{path}: cannot be written: {reason(error, at=target)}") from None


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[BinaryIO]:
    # Short: a name may have 255 bytes, and the target's may have as many.
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last; where a system cannot sync a folder, it does that by itself."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
