"""Lightning as a guest: what it may say, and what it may do to signals.

It logs advice that is not for our users and, interrupted, ends the process and ignores the next
signal. Here it leaves levels, filters and handlers as they were. Its own files know the rest.
"""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_ADVICE = (
    ".*does not have many workers.*",
    ".*LeafSpec.*is deprecated.*",
    "Total length of `list` across ranks is zero.*",  # no dev set; this is said elsewhere
)
_LOGGERS = ("pytorch_lightning", "lightning_fabric")


class Interruptible(Protocol):
    """A trainer that knows whether it was interrupted."""

    @property
    def interrupted(self) -> bool:
        """Whether an interrupt ended it."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back Lightning's advice, and nothing else; levels and filters are then as before."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _ADVICE:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def as_guest(trainer: Interruptible) -> Iterator[None]:
    """Let Lightning run, and an interrupt be one: it would end the process, and ignore the next."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with quiet():
            yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None
