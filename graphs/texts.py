"""Read texts to measure a graph on: one a line, or one column of a table.

The suffix names the form: `.tsv` and `.csv` have a header, `.jsonl` (`.json`, `.ndjson`) an object
a line; anything else holds one text a line. Each may be compressed (`.gz`, `.zst`). Reading is
strict UTF-8, and what does not fit is an error with file and line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from graphs.errors import GraphError, ParseError, suggestion
from graphs.opening import bare_name, line_text, lines
from graphs.writing import joint

_JSON = (".jsonl", ".json", ".ndjson")
_TABLES = (".tsv", ".csv", *_JSON)
_TEXT_COLUMNS = ("text_a", "text")


class Record(NamedTuple):
    """Hold a line's number and its cells by column."""

    line: int
    cells: dict[str, Any]


class Words(NamedTuple):
    """A text put together from words, and the half-open characters of each word in it."""

    text: str
    spans: tuple[tuple[int, int], ...]


def is_table(path: str | Path) -> bool:
    """Say whether the file has columns, going by its suffix."""
    return bare_name(Path(path)).endswith(_TABLES)


def read_texts(
    path: str | Path, *, column: str | None = None, words: bool = False
) -> Iterator[str]:
    """Yield the texts of a file in order; empty ones are given as they are.

    `column` chooses one of a table (by default `text_a`, else `text`). With `words` a text is words
    between single spaces, as in tagging data, and is put together by `join_words`.

    Raises `GraphError` for a file that cannot be read and for a `column` that is not there,
    `ParseError` for a line.
    """
    path = Path(path)
    if is_table(path):
        return _from_table(path, column=column, words=words)
    if column is not None:
        known = ", ".join(_TABLES)
        raise GraphError(f"{path}: has no columns to choose {column!r} from; tables are {known}")
    found = (text for _, text in _decoded(lines(path), name=str(path)))
    return (join_words(text.split(" ")).text for text in found) if words else found


def read_stream(stream: BinaryIO, *, name: str, words: bool = False) -> Iterator[str]:
    """Yield the lines of an open file. Raises `ParseError`."""
    for _, text in _decoded(stream, name=name):
        yield join_words(text.split(" ")).text if words else text


def read_records(path: Path) -> Iterator[Record]:
    """Yield the rows of a table. Raises `ParseError`, and `GraphError` for what is no table."""
    if not is_table(path):
        raise GraphError(f"{path}: is no table; tables are {', '.join(_TABLES)}")
    name = bare_name(path)
    found = _decoded(lines(path), name=str(path))
    if name.endswith(_JSON):
        return _json_records(found, path=path)
    return _rows(found, path=path, commas=name.endswith(".csv"))


def choose_column(cells: Iterable[str], *, named: str | None, path: Path) -> str:
    """Return the column of the texts: the one `named`, else `text_a`, else `text`.

    Raises `GraphError`.
    """
    columns = list(cells)
    listed = ", ".join(map(repr, columns))
    if named is not None:
        if named not in columns:
            raise GraphError(
                f"{path}: no column {named!r}; there are {listed}{suggestion(named, columns)}"
            )
        return named
    for usual in _TEXT_COLUMNS:
        if usual in columns:
            return usual
    raise GraphError(f"{path}: which column holds the texts? Name one of {listed} (--column)")


def join_words(words: Iterable[str]) -> Words:
    """Put words in a row as they are written: with a space only where both scripts have spaces."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    end, last = 0, ""
    for word in words:
        gap = joint(last, word)
        parts += [gap, word]
        spans.append((end + len(gap), end + len(gap) + len(word)))
        end, last = spans[-1][1], word or last
    return Words("".join(parts), tuple(spans))


def _from_table(path: Path, *, column: str | None, words: bool) -> Iterator[str]:
    chosen = column
    for number, record in enumerate(read_records(path)):
        if number == 0:
            chosen = choose_column(record.cells, named=column, path=path)
        cell = record.cells.get(chosen or "")
        if words and isinstance(cell, list) and all(isinstance(word, str) for word in cell):
            yield join_words(cell).text
            continue
        if not isinstance(cell, str):
            what = "missing" if cell is None else f"{type(cell).__name__}, not a string"
            raise ParseError(f"column {chosen!r} is {what}", file=path, line=record.line)
        yield join_words(cell.split(" ")).text if words else cell


def _decoded(source: Iterable[bytes], *, name: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(source, start=1):
        try:
            yield number, line_text(raw, first=number == 1)
        except ValueError as error:
            raise ParseError(str(error), file=name, line=number) from None


def _rows(found: Iterator[tuple[int, str]], *, path: Path, commas: bool) -> Iterator[Record]:
    records = _comma_separated(found, path=path) if commas else _tab_separated(found)
    _, header = next(records, (1, []))
    if not header:
        raise ParseError("no header, which names the columns", file=path, line=1)
    if len(set(header)) < len(header):
        raise ParseError(f"a column is named twice: {', '.join(header)}", file=path, line=1)
    for number, cells in records:
        if len(cells) != len(header):
            message = f"{len(cells)} cells instead of {len(header)} ({', '.join(header)})"
            raise ParseError(message, file=path, line=number)
        yield Record(number, dict(zip(header, cells, strict=True)))


def _tab_separated(found: Iterator[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    return ((number, line.split("\t")) for number, line in found if line)


def _comma_separated(
    found: Iterator[tuple[int, str]], *, path: Path
) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader((line + "\n" for _, line in found), strict=True)
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise ParseError(f"not CSV: {error}", file=path, line=rows.line_num) from None
        if cells:
            yield rows.line_num, cells


def _json_records(found: Iterator[tuple[int, str]], *, path: Path) -> Iterator[Record]:
    for number, line in found:
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except ValueError as error:
            raise ParseError(f"not JSON: {error}", file=path, line=number) from None
        except RecursionError:
            raise ParseError("JSON nested too deeply", file=path, line=number) from None
        if not isinstance(cells, dict):
            raise ParseError("not a JSON object, one a line", file=path, line=number)
        yield Record(number, cells)
