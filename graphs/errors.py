"""Define every error of the package; each message is one line that says what to do.

    GraphError                  anything a user can put right
    ├── ParseError              a line that cannot be read: FILE:LINE: message
    ├── UnknownFormat           a file whose suffix names no format
    ├── UnknownGraph            neither a catalogue name nor an existing file
    └── GraphNotFound           in the catalogue, but its file is not on this machine

All of them survive pickling, so that a worker process can hand them to its parent.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any


class GraphError(Exception):
    """Report a mistake in a graph, or in how it was asked for."""


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
        return f"{self.file}:{self.line}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the keyword arguments, which `Exception` would lose."""
        return partial(type(self), file=self.file, line=self.line), (self.message,)


class UnknownFormat(GraphError):
    """Report a file whose suffix names no format that can be read."""


class UnknownGraph(GraphError):
    """Report a graph that is neither in the catalogue nor a file."""


class GraphNotFound(GraphError):
    """Report a graph of the catalogue whose file is not on this machine yet."""


def suggestion(value: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the name of `known` nearest to `value`, or `""`."""
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
