"""Tables in files: TSV, CSV, JSON, JSON lines (each also as `.gz`) and Parquet.

Text files are read as bytes, split on `\\n` alone and decoded as strict UTF-8, so that `NA`,
`null`, quotes in a TSV and U+2028 survive as they are, and every error names file and line. No row
is dropped: a row that cannot be read is an error. Cells come as the format has them (strings in
TSV and CSV); what they mean is decided in `kbert.data`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from graphs.decompression import FREE_SIZE, MOST_RATIO
from kbert.errors import DataError
from kbert.quoting import split_record, without_end

_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_LINE: Final = 256 << 20  # bytes; a JSON file may be one line
_BETWEEN_VALUES: Final = re.compile(r"[ \t\n\r,]*")


class Row(NamedTuple):
    """One row: its line in the file (Parquet: its number, from 1), and a cell for each column."""

    line: int
    cells: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A file's columns and rows, in its order; `file` is its path, for messages."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def format_of(path: Path) -> str | None:
    """Return the suffix of `FORMATS` that the file's name ends in, or None if there is none."""
    return next((suffix for suffix in FORMATS if path.name.endswith(suffix)), None)


def read_table(path: Path) -> Table:
    """Read a data file by its suffix. Raises `DataError` with file and line."""
    suffix = format_of(path)
    if suffix is None:
        raise DataError(f"unknown format: the name must end in {', '.join(FORMATS)}", file=path)
    table = FORMATS[suffix](path)
    repeated = sorted({name for name in table.columns if table.columns.count(name) > 1})
    if repeated:
        raise DataError(f"column {repeated[0]!r} stands twice in the header", file=path, line=1)
    return table


def read_json(path: Path) -> object:
    """Read a JSON file (or `.gz`) of any shape. Raises `DataError` with file and line."""
    return _json(path)[1]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line number, from 1, and text with its line end; refuse lines without end and bombs."""
    number = size = 0
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        most = max(FREE_SIZE, MOST_RATIO * path.stat().st_size)
        with opened(path, "rb") as stream:
            # Bytes: `\n` alone ends a line.
            for raw in iter(lambda: stream.readline(min(most, _LONGEST_LINE) + 1), b""):
                number += 1
                size += len(raw)
                if len(raw) > _LONGEST_LINE or size > most:
                    raise DataError(_too_much(size, most), file=path, line=number)
                if number == 1:
                    raw = raw.removeprefix(_BOM)
                yield number, _decode(raw, path=path, line=number)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"the gzip stream is broken or cut short: {error}"
        raise DataError(message, file=path, line=number + 1) from None
    except OSError as error:
        raise DataError(error.strerror or str(error), file=path) from None


def _too_much(size: int, most: int) -> str:
    if size > most:
        return f"more than {MOST_RATIO} times the size of the file; unpack it if you trust it"
    return f"a line of more than {_LONGEST_LINE:,} bytes"


def _decode(raw: bytes, *, path: Path, line: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{raw[error.start]:02x} in column {error.start + 1} (counted in bytes)"
        message = f"not UTF-8: {byte}; save the file as UTF-8"
        raise DataError(message, file=path, line=line) from None


def _read_tsv(path: Path) -> Table:
    """Fields between TABs, quotes being ordinary characters; one `\\r` may end a line."""
    return _with_header(
        path,
        ((number, without_end(line).split("\t")) for number, line in _lines(path)),
    )


def _read_csv(path: Path) -> Table:
    """RFC 4180: fields between commas, quotes doubled inside quotes, line ends inside quotes.

    A field may be of any length, and hold a carriage return that ends no line.
    """
    return _with_header(path, _csv_records(path))


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    lines = _lines(path)
    for start, line in lines:
        try:
            yield start, split_record(line, further=(text for _, text in lines))
        except ValueError as error:
            message = f"bad CSV in the record that starts here: {error}"
            raise DataError(message, file=path, line=start) from None


def _with_header(path: Path, records: Iterator[tuple[int, list[str]]]) -> Table:
    """Take the first record as the header; empty lines may follow the last row, and only it."""
    header = next(records, None)
    if header is None:
        raise DataError("the file is empty; the first line must name the columns", file=path)
    columns = tuple(header[1])
    rows: list[Row] = []
    empty: int | None = None
    for line, cells in records:
        if cells in ([], [""]):
            empty = empty or line
        elif empty is not None:
            raise DataError("an empty line between rows", file=path, line=empty)
        elif len(cells) != len(columns):
            message = f"{len(cells)} fields, but the header has {len(columns)}: {columns}"
            raise DataError(message, file=path, line=line)
        else:
            rows.append(Row(line, tuple(cells)))
    return Table(str(path), columns, tuple(rows))


def _read_jsonl(path: Path) -> Table:
    """One object a line; empty lines may follow the last row, and only it."""
    return _from_objects(path, _json_lines(path))


def _json_lines(path: Path) -> Iterator[tuple[int, object]]:
    decoder = _decoder()
    empty: int | None = None
    for number, line in _lines(path):
        if not line.strip():
            empty = empty or number
            continue
        if empty is not None:
            raise DataError("an empty line between rows", file=path, line=empty)
        try:
            yield number, decoder.decode(line)
        except (ValueError, RecursionError) as error:
            raise DataError(_json_reason(error), file=path, line=number) from None


def _read_json(path: Path) -> Table:
    """A list of objects; a row's line is where its object starts."""
    return _from_objects(path, _json_list(path))


def _json_list(path: Path) -> Iterator[tuple[int, object]]:
    text, values = _json(path)
    decoder = _decoder()
    if not isinstance(values, list):
        raise DataError("expected a list of objects; one object a line is .jsonl", file=path)
    line, counted, position = 1, 0, text.index("[") + 1
    for value in values:  # walked again, for the lines
        position = _BETWEEN_VALUES.match(text, position).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, position), position
        yield line, value
        position = decoder.raw_decode(text, position)[1]


def _json(path: Path) -> tuple[str, Any]:
    text = "".join(line for _, line in _lines(path))
    try:
        return text, _decoder().decode(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise DataError(_json_reason(error), file=path, line=line) from None


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_object)


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"bad JSON: {error.msg}, column {error.colno}"
    return f"bad JSON: {error}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated key, which `json` would drop in silence."""
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return result


def _from_objects(path: Path, values: Iterable[tuple[int, object]]) -> Table:
    """Columns are the keys of all objects in order of appearance; an absent one is None."""
    objects: list[tuple[int, dict[str, object]]] = []
    for line, value in values:
        if not isinstance(value, dict):
            kind = type(value).__name__
            raise DataError(f"each row must be an object, not {kind}", file=path, line=line)
        objects.append((line, value))
    columns = tuple({name: None for _, value in objects for name in value})
    rows = (Row(line, tuple(value.get(name) for name in columns)) for line, value in objects)
    return Table(str(path), columns, tuple(rows))


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            content = file.read()
            columns = [column.to_pylist() for column in content.columns]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"cannot be read as Parquet: {reason}", file=path) from None
    rows = (Row(number, cells) for number, cells in enumerate(zip(*columns, strict=True), start=1))
    return Table(str(path), tuple(content.column_names), tuple(rows))


FORMATS: Final[Mapping[str, Callable[[Path], Table]]] = {
    ".tsv": _read_tsv,
    ".tsv.gz": _read_tsv,
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".json": _read_json,
    ".json.gz": _read_json,
    ".jsonl": _read_jsonl,
    ".jsonl.gz": _read_jsonl,
    ".parquet": _read_parquet,
}
