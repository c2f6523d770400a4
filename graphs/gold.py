"""Read labelled texts: one label a text, or BIO tags of its words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from graphs.errors import GraphError, ParseError
from graphs.texts import choose_column, join_words, read_records

_PREFIXES = ("B", "I", "E", "S")


class Gold(NamedTuple):
    """A text with its label, or with the labels of spans: (start, end) to entity type."""

    text: str
    label: str | None
    spans: dict[tuple[int, int], str]


def read_gold(
    path: str | Path, *, column: str | None = None, label: str = "label"
) -> Iterator[Gold]:
    """Yield the labelled texts of a table (`.tsv`, `.csv`, `.jsonl`; see `graphs.texts`).

    `column` holds the texts (by default `text_a`, else `text`), `label` the labels. Where those of
    the first text are one BIO tag a word (`O`, `B-LOC`, `I-LOC`; E and S as well), words and tags
    stand between single spaces, or are lists, in every row. An `I` that continues nothing begins a
    span, as in the CoNLL evaluation.

    Raises `GraphError` for a column that is not there, `ParseError` for a row.
    """
    path = Path(path)
    tagging: bool | None = None
    text_column = column or ""
    for line, cells in read_records(path):
        if tagging is None:
            text_column = choose_column(cells, named=column, path=path)
            if label not in cells:
                known = ", ".join(map(repr, cells))
                raise GraphError(f"{path}: no column {label!r} with labels; there are {known}")
            tagging = _is_tagged(cells[text_column], cells[label])
        text, labels = cells.get(text_column), cells.get(label)
        try:
            yield _tagged(text, labels) if tagging else _labelled(text, labels)
        except ValueError as error:
            raise ParseError(str(error), file=path, line=line) from None


def _is_tagged(text: object, labels: object) -> bool:
    try:
        _tagged(text, labels)
    except ValueError:
        return False
    return True


def _labelled(text: object, label: object) -> Gold:
    if not isinstance(text, str):
        raise ValueError(f"the text is {type(text).__name__}, not a string")
    if not isinstance(label, str | int) or label == "":
        raise ValueError(f"the label is {label!r}, not a string or a whole number")
    return Gold(text, str(label), {})


def _tagged(text: object, labels: object) -> Gold:
    words, tags = _strings(text), _strings(labels)
    if len(words) != len(tags):
        raise ValueError(f"{len(words)} words, but {len(tags)} tags")
    joined = join_words(words)
    spans: dict[tuple[int, int], str] = {}
    start, open_kind = 0, ""
    for number, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        if tag != "O" and (prefix not in _PREFIXES or not kind):
            raise ValueError(f"{tag!r} is no tag: O, or B-, I-, E- or S- and an entity type")
        if open_kind and (prefix in ("O", "B", "S") or kind != open_kind):
            spans[joined.spans[start][0], joined.spans[number - 1][1]] = open_kind
            open_kind = ""
        if tag != "O" and not open_kind:
            start, open_kind = number, kind
        if prefix in ("E", "S") and open_kind:
            spans[joined.spans[start][0], joined.spans[number][1]] = open_kind
            open_kind = ""
    return Gold(joined.text, None, spans)


def _strings(cell: object) -> list[str]:
    strings = cell.split(" ") if isinstance(cell, str) else cell
    if not isinstance(strings, list) or not all(isinstance(each, str) for each in strings):
        raise ValueError("words and tags must be strings between spaces, or lists of strings")
    return strings
