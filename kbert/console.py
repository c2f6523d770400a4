"""What the commands say, and how they end.

Talk (progress, notes, errors) goes to standard error, results to standard output, in UTF-8
whatever the locale. A user's mistake is one line and exit status 2, a training that was asked to
stop says how to go on; any other exception is our defect and keeps its traceback. Of the processes
of a distributed run only the first one speaks.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from graphs.arguments import Parser
from graphs.disk import is_disk, reason
from graphs.errors import GraphError
from kbert.errors import KbertError, RunError, Stopped

__all__ = [
    "Parser",
    "ReaderGone",
    "emit",
    "guard",
    "interactive",
    "out_of_memory",
    "progress",
    "say",
    "speaks",
]

Item = TypeVar("Item")
LESS: Final = "smaller sizes (--batch-tokens, --max-length, --width, …) need less"
_SHOWN: Final = 200


class ReaderGone(Exception):
    """The reader of our results went away, as `head` does; there is no one to tell."""


def speaks() -> bool:
    """Say whether this process is the one that talks: the first of a distributed run."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def say(line: str) -> None:
    """Write a note for the person at the terminal; that nobody reads it any more is no error."""
    if speaks():
        with contextlib.suppress(BrokenPipeError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def emit(text: str) -> None:
    """Write a result at once.

    Raises `ReaderGone` if nobody reads it any more, `RunError` if the disk has no room for it.
    """
    if speaks():
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            _discard()
            raise RunError(f"the result cannot be written: {error.strerror}") from None


def guard(command: Callable[[], None]) -> int:
    """Run a command and turn users' mistakes into one line; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold bytes that are no UTF-8, and Python has them as lone surrogates.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    # Without a network the hub's library warns at each retry; the error that follows says it once.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    try:
        command()
    except (KbertError, GraphError) as error:
        say("error: " + _one_line(str(error)))
        return 2
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except Stopped as stop:
        say(_one_line(str(stop)))
        return stop.status
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        say(f"error: out of memory: {_one_line(str(error))[:_SHOWN]}; {LESS}")
        return 2
    except ReaderGone:
        _discard()
    except OSError as error:
        if not is_disk(error):
            raise
        file = Path(str(error.filename or "."))
        named = f"{file}: " if error.filename else ""
        say(f"error: {named}cannot be written: {reason(error, at=file)}")
        return 2
    return 0


def out_of_memory(error: BaseException) -> bool:
    """Say whether an error is that there is no memory left, of Python, torch, or a GPU.

    On the CPU torch raises a plain `RuntimeError` for it.
    """
    named = type(error).__name__ == "OutOfMemoryError"
    return isinstance(error, MemoryError) or named or "can't allocate memory" in str(error)


def progress(items: Sequence[Item], *, about: str) -> Iterable[Item]:
    """Go through items under a progress bar with an ETA, if a person watches."""
    if not (speaks() and interactive()):
        return items
    from tqdm import tqdm

    bar: Iterable[Item] = tqdm(items, desc=about, leave=False)
    return bar


def interactive() -> bool:
    """Say whether a person watches, so that a progress bar makes sense."""
    return sys.stderr.isatty()


def _discard() -> None:
    """Give what is left in the buffer somewhere to go when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(text: str) -> str:
    # As errors of graphs are shown: what would move a terminal's cursor is escaped, the middle of
    # what is too long is left out.
    return str(GraphError(" ".join(text.splitlines())))
