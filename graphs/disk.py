"""What is said where a disk takes nothing more: the reason, and the bytes that are free."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Final

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_FAILED: Final = (*_FULL, errno.EFBIG, errno.EIO, errno.EROFS)


def is_disk(error: OSError) -> bool:
    """Say whether an error is the disk's, and so nobody's defect: full, broken, or read-only."""
    return error.errno in _FAILED


def reason(error: OSError, *, at: Path, needed: int | None = None) -> str:
    """Say why `at` could not be written; of a full disk also what is free, and what is `needed`.

    Both are in bytes.
    """
    why = error.strerror or str(error)
    if error.errno not in _FULL:
        return why
    wanted = "" if needed is None else f"about {needed:,} bytes are needed, "
    return f"{why} ({wanted}{_free(at)} are free)"


def _free(path: Path) -> str:
    for folder in (path, *path.absolute().parents):
        if folder.is_dir():
            try:
                return f"{shutil.disk_usage(folder).free:,}"
            except OSError:
                break
    return "unknown"
