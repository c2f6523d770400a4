"""The rules that hold for any input: a refusal is one good line; what is not refused is right."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from graphs.errors import GraphError
from graphs.terms import is_blank

Result = TypeVar("Result")
_LONGEST_MESSAGE: Final = 1000


class Broken(Exception):
    """Say which rule does not hold."""


def require(holds: object, rule: str) -> None:
    """Raise `Broken` unless `holds`."""
    if not holds:
        raise Broken(rule)


def attempt(action: Callable[[], Result], *, names: str) -> tuple[Result | None, str]:
    """Return what `action` gives and `""`, or None and its refusal, which must be a good one."""
    try:
        return action(), ""
    except GraphError as error:
        message = str(error)
    check_line(message)
    require(names in message, f"the message does not name the file: {message}")
    return None, message


def check_line(message: str) -> None:
    """Require one line that a terminal can show."""
    require(message and len(message.splitlines()) == 1, f"not one line: {message!r}")
    controls = [char for char in message if unicodedata.category(char) in ("Cc", "Zl", "Zp")]
    require(not controls, f"control characters in {message!r}")
    require(len(message) <= _LONGEST_MESSAGE, f"{len(message)} characters: {message[:300]!r}")


def renamed(triples: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return the triples with blank nodes numbered by first appearance: labels say nothing."""
    labels: dict[str, str] = {}

    def name(term: str) -> str:
        return labels.setdefault(term, f"_:{len(labels)}") if is_blank(term) else term

    return [(name(head), relation, name(tail)) for head, relation, tail in triples]
