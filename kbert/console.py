"""What the commands say, and how they end.

Talk (progress, notes, errors) goes to standard error, results to standard output. A user's mistake
is one line and exit status 2; any other exception is our defect and keeps its traceback. Of the
processes of a distributed run only the first one speaks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from graphs.errors import GraphError
from kbert.errors import KbertError


def speaks() -> bool:
    """Say whether this process is the one that talks: the first of a distributed run."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def say(line: str) -> None:
    """Write a note for the person at the terminal."""
    if speaks():
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def emit(text: str) -> None:
    """Write a result."""
    if speaks():
        sys.stdout.write(text + "\n")


def guard(command: Callable[[], None]) -> int:
    """Run a command and turn users' mistakes into one line; return the exit status."""
    try:
        command()
    except (KbertError, GraphError) as error:
        say("error: " + " ".join(str(error).split("\n")))
        return 2
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def interactive() -> bool:
    """Say whether a person watches, so that a progress bar makes sense."""
    return sys.stderr.isatty()
