"""Define every error of the package; each message is one line that says what to do.

A message quotes what users and files say, so it is made one line where it is shown: characters that
would break it, or move the cursor of a terminal, become escapes, and the middle of what is too long
is left out.

    GraphError                  anything a user can put right
    ├── ParseError              a line that cannot be read: FILE:LINE: message
    ├── UnknownFormat           a file whose suffix names no format
    ├── UnknownGraph            neither a catalogue name nor an existing file
    └── GraphNotFound           in the catalogue, but its file is not on this machine

All of them survive pickling, so that a worker process can hand them to its parent.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

_LONGEST = 1000
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


class GraphError(Exception):
    """Report a mistake in a graph, or in how it was asked for."""

    def __str__(self) -> str:
        """Return the message as one line of at most 1,000 characters."""
        return _one_line(super().__str__())


class ParseError(GraphError):
    """Report a line of a file that is not a triple: `FILE:LINE: message`."""

    def __init__(self, message: str, *, file: str | Path, line: int) -> None:
        """Keep `message`, and the place as `file` and `line` (counted from 1)."""
        super().__init__(message)
        self.message = message
        self.file = str(file)
        self.line = line

    def __str__(self) -> str:
        """Put the place before the message, as compilers do."""
        return _one_line(f"{self.file}:{self.line}: {self.message}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the keyword arguments, which `Exception` would lose."""
        return partial(type(self), file=self.file, line=self.line), (self.message,)


class UnknownFormat(GraphError):
    """Report a file whose suffix names no format that can be read."""


class UnknownGraph(GraphError):
    """Report a graph that is neither in the catalogue nor a file."""


class GraphNotFound(GraphError):
    """Report a graph of the catalogue whose file is not on this machine yet."""


def _one_line(message: str) -> str:
    message = _shortened(message)
    return message if message.isprintable() else _shortened("".join(map(_escaped, message)))


def _shortened(message: str) -> str:
    """Keep the beginning, which says what is wrong, and the end, which says what to do."""
    if len(message) <= _LONGEST:
        return message
    return f"{message[: _LONGEST - 400]} … {message[-300:]}"


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return char.encode("unicode_escape").decode("ascii")


def suggestion(value: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the name of `known` nearest to `value`, or `""`."""
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
