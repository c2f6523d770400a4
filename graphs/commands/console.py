"""What the commands say, and how they end.

Talk (progress, notes, errors) goes to standard error, results to standard output, in UTF-8
whatever the locale. A user's mistake is one line and exit status 2; any other exception is our
defect and keeps its traceback. When nobody reads the results any more, as behind `head`, the
command ends in silence.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from graphs.arguments import Parser
from graphs.disk import is_disk
from graphs.errors import GraphError

__all__ = ["Parser", "emit", "emit_json", "guard", "say"]

# JSON may hold them as they are, but some readers take them for the end of a line.
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def say(line: str) -> None:
    """Write a note for the person at the terminal; that nobody reads it any more is no error."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(_one_line(line) + "\n")
        sys.stderr.flush()


def emit(line: str = "") -> None:
    """Write a line of the result."""
    sys.stdout.write(line + "\n")


def emit_json(value: Any, *, lines: bool = False) -> None:
    """Write a value as JSON: in one line, or for a person to read."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=None if lines else 2)
    emit(text.translate(_LINE_ENDS))


def guard(command: Callable[[], None]) -> int:
    """Run a command and turn users' mistakes into one line; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold bytes that are no UTF-8, and Python has them as lone surrogates.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        command()
        sys.stdout.flush()
    except GraphError as error:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except BrokenPipeError:
        _discard()
    except OSError as error:
        if not is_disk(error):
            raise
        _discard()
        say(f"error: the result cannot be written: {error.strerror}")
        return 2
    return 0


def _discard() -> None:
    """Give what is left in the buffer somewhere to go when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
