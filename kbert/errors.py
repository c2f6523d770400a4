"""The exceptions that kbert raises on purpose, one tree.

    KbertError                a user's mistake or a broken input; its text is one clear line
    ├── SettingsError         a setting has a value that cannot be used
    ├── DataError             a data file or one of its lines cannot be used
    ├── CheckpointError       a model folder is absent, broken or does not fit
    ├── RunError              a run folder cannot be used, or not in the way asked for
    └── Diverged              a training came to numbers that are none

Entry points catch `KbertError`, print its text and leave with status 2; anything else is a
defect of this project and keeps its traceback. All of them can be pickled, since data workers
send theirs to the main process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class KbertError(Exception):
    """Tell the user in one line what is wrong and what to do."""


class SettingsError(KbertError):
    """Refuse a setting; where it is one alone, and known, `setting` names it."""

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        """Keep the name beside the message, so that a recipe's line can be found."""
        super().__init__(message)
        self.setting = setting


class DataError(KbertError):
    """Refuse a data file, or one line of it; the text is `FILE:LINE: message`."""

    def __init__(
        self, message: str, *, file: str | Path | None = None, line: int | None = None
    ) -> None:
        """Keep the place beside the message; either part of it may be unknown."""
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line

    def __str__(self) -> str:
        """Return the message after the parts of its place that are known."""
        if self.file is None:
            place = "" if self.line is None else f"line {self.line}: "
        else:
            place = f"{self.file}: " if self.line is None else f"{self.file}:{self.line}: "
        return place + self.message


class CheckpointError(KbertError):
    """Refuse a model folder; where tensors do not fit, carry the full lists of their names."""

    def __init__(
        self,
        message: str,
        *,
        missing: Sequence[str] = (),
        unexpected: Sequence[str] = (),
        mismatched: Sequence[str] = (),
    ) -> None:
        """Keep the names: absent from the file, not of this model, of another shape or type."""
        super().__init__(message)
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.mismatched = tuple(mismatched)


class RunError(KbertError):
    """Refuse a run folder, or the use of it that was asked for."""


class Diverged(KbertError):
    """End a training that came to numbers that are none; every process finds this out at once."""


class Stopped(Exception):
    """End a training before its time, as was asked; its text is one line that says how to go on.

    Nobody made a mistake, so it is no `KbertError`; `status` is the exit status of a command.
    """

    def __init__(self, message: str, status: int) -> None:
        """Keep the exit status beside the line."""
        super().__init__(message, status)
        self.status = status

    def __str__(self) -> str:
        """Return the line."""
        return str(self.args[0])
