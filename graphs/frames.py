"""Read triples from a data frame of pandas, or of anything with columns by name, strictly.

No library is imported: a frame has `columns`, and `frame[name]` gives a column's values in order.
Only strings are taken. A missing value or a number is an error that names the row, because what
text it should become (`NA`? `42` or `42.0`?) is the user's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from graphs.errors import GraphError, suggestion
from graphs.triple import Triple, is_text

_SHOWN = 60


class Frame(Protocol):
    """What is asked of a frame: the names of its columns, and each column's values."""

    @property
    def columns(self) -> Any:
        """Give the names of the columns in order."""

    def __getitem__(self, name: Any, /) -> Any:
        """Give the values of the column `name` in order."""


def from_frame(
    frame: Frame, *, head: str = "head", relation: str = "relation", tail: str = "tail"
) -> Iterator[Triple]:
    """Yield the triples of `frame` in the order of its rows, values as they stand.

    `head`, `relation` and `tail` name its columns. Raises `GraphError` at once where one of them is
    not there exactly once, and while iterating where a value is no text or only white space; rows
    are counted from 0, as in `frame.iloc`.
    """
    if not hasattr(frame, "columns") or not hasattr(frame, "__getitem__"):
        raise GraphError(f"{type(frame).__name__} is no data frame: it has no columns")
    known = list(frame.columns)
    for name in (head, relation, tail):
        if known.count(name) != 1:
            raise GraphError(_not_once(name, known=known))
    return _triples([frame[name] for name in (head, relation, tail)])


def _triples(columns: list[Iterable[Any]]) -> Iterator[Triple]:
    for row, values in enumerate(zip(*columns, strict=True)):
        for part, value in zip(Triple._fields, values, strict=True):
            if problem := _problem(value):
                raise GraphError(f"row {row}: {part} is {problem}")
        yield Triple._make(map(str, values))


def _problem(value: object) -> str:
    if not isinstance(value, str):
        kind, shown = type(value).__name__, repr(value)
        if kind in ("NoneType", "NAType", "NaTType") or shown in ("nan", "np.float64(nan)"):
            return f"missing ({kind}); drop the row, or say in text what is meant"
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
        return f"{shown} ({kind}), no string; turn the column into text"
    if not is_text(value):
        return f"{value[:_SHOWN]!r}, which holds NUL or half a surrogate pair; no file could"
    return "" if value.strip() else f"empty: {value[:_SHOWN]!r}"


def _not_once(name: str, *, known: list[Any]) -> str:
    named = [str(column) for column in known]
    if name in known:
        return f"the frame has {known.count(name)} columns {name!r}; rename or drop all but one"
    listed = ", ".join(map(repr, named[:20])) + (", …" if len(named) > 20 else "")
    return f"the frame has no column {name!r}; it has {listed or 'none'}{suggestion(name, named)}"
