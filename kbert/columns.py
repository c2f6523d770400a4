"""Which columns of a table hold the text, the second text and the label.

K-BERT's own names are the defaults; where a default is absent, the names that published data sets
use are tried, and one is taken only if it is the sole candidate. A column that the user names must
exist. Nothing is guessed from what the cells hold.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from kbert.errors import DataError
from kbert.tables import Table

Task = Literal["classification", "pair", "tagging"]
Form = Literal["classification", "pair", "tagging", "qa"]  # with answers, which no table holds

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("text", "sentence", "sentence1", "tokens", "words"),
    "pair": ("sentence2", "text_b"),
    "label": ("label", "labels", "tags", "ner_tags"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns; a default stands for its well-known aliases too."""

    text: str = "text_a"
    pair: str = "text_b"
    label: str = "label"


class Chosen(NamedTuple):
    """Indices of the columns that are read; `pair` is None unless the task is "pair"."""

    text: int
    pair: int | None
    label: int


def choose(columns: Columns, *, table: Table, task: Task) -> Chosen:
    """Find the columns of `table`; raises `DataError`, which lists what there is."""
    chosen = Chosen(
        _find(columns.text, role="text", table=table),
        _find(columns.pair, role="pair", table=table) if task == "pair" else None,
        _find(columns.label, role="label", table=table),
    )
    used = [index for index in chosen if index is not None]
    if len(set(used)) != len(used):
        names = ", ".join(repr(table.columns[index]) for index in used)
        raise DataError(f"one column cannot be read as two things: {names}", file=table.file)
    return chosen


def _find(name: str, *, role: str, table: Table) -> int:
    if name in table.columns:
        return table.columns.index(name)
    if name == getattr(Columns(), role):
        candidates = [alias for alias in _ALIASES[role] if alias in table.columns]
        if len(candidates) == 1:
            return table.columns.index(candidates[0])
        if candidates:
            raise DataError(
                f"which column is the {role}, {' or '.join(map(repr, candidates))}? "
                f"Name it with --{role}-column",
                file=table.file,
            )
    close = difflib.get_close_matches(name, table.columns, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise DataError(
        f"no column {name!r} for the {role}; {hint}its columns are "
        f"{', '.join(map(repr, table.columns))}; name one with --{role}-column",
        file=table.file,
    )
