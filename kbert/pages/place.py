"""Whether a page can be written where it is asked for, before any work is done for it."""

from __future__ import annotations

from pathlib import Path

from kbert.errors import SettingsError


def check_place(file: Path, *, overwrite: bool) -> None:
    """Refuse a folder, an absent folder's file, and a file that is there unless `overwrite`.

    Raises `SettingsError`.
    """
    try:
        if file.is_dir():
            raise SettingsError(f"{file}: is a folder; name a file in it for --html")
        if not file.parent.is_dir():
            raise SettingsError(
                f"{file}: {file.parent} is no folder; make it first, or choose another --html"
            )
        there = file.exists()
    except OSError as error:  # such as a name that is too long
        raise SettingsError(f"{file}: cannot be written: {error.strerror}") from None
    if there and not overwrite:
        raise SettingsError(f"{file}: exists already; choose another --html or --overwrite")
