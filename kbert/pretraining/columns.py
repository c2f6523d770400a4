"""Stream one column of texts: of JSON lines, of Parquet, of a data set of the hub.

Unlike the tables of `kbert.tables` nothing is held but a few rows, since a corpus may be larger
than memory. A row is a document. Each function yields the row's number (of JSON lines: its line)
and its text; `progress` is told of bytes of the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from graphs.errors import suggestion
from kbert.errors import DataError

_ROWS: Final = 256
Row = tuple[int, str]


def json_texts(lines: Iterable[Row], *, column: str, file: Path) -> Iterator[Row]:
    """Take the text under the key `column` of each line's object; empty lines are passed over.

    Raises `DataError` for a line that is no JSON object, or whose text is absent or is no text.
    """
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise DataError(f"bad JSON: {reason}", file=file, line=number) from None
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise DataError(f"each line must be an object, not {kind}", file=file, line=number)
        if column not in row:
            raise _absent(column, known=[*row], file=str(file), line=number)
        yield number, _text(row[column], column=column, file=str(file), number=number)


def parquet_texts(
    path: Path, *, column: str, progress: Callable[[int], None] | None = None
) -> Iterator[Row]:
    """Read one column of a Parquet file, a few hundred rows at a time. Raises `DataError`."""
    import pyarrow
    import pyarrow.parquet

    told, number = 0, 0
    try:
        size = path.stat().st_size
        with pyarrow.parquet.ParquetFile(path) as file:
            names, rows = file.schema_arrow.names, file.metadata.num_rows
            if column not in names:
                raise _absent(column, known=names, file=str(path))
            for batch in file.iter_batches(batch_size=_ROWS, columns=[column]):
                for cell in batch.column(0):
                    number += 1
                    yield number, _text(cell.as_py(), column=column, file=str(path), number=number)
                if progress is not None:
                    progress(size * number // rows - told)
                    told = size * number // rows
    except UnicodeDecodeError:
        raise DataError("the text is not UTF-8; write it as such", file=path, line=number) from None
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"cannot be read as Parquet: {reason}", file=path) from None


def hub_texts(source: str, *, config: str | None, split: str, column: str) -> Iterator[Row]:
    """Read one column of a split of a data set of the hub, which `datasets` keeps on the disk.

    Raises `DataError` where there is no such data set, split or column, or no network.
    """
    import datasets

    from kbert.hub import offline
    from kbert.nn.hub import has_dataset

    advice = "check the spelling and the network, or give a file or folder of texts"
    known = has_dataset(source)
    if known is False:
        raise DataError(
            f"no such file or folder here, nor data set on the hub; {advice}", file=source
        )
    try:
        with nullcontext() if known else offline():
            content = datasets.load_dataset(source, config)
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        reason = "the hub does not answer" if known is None else " ".join(str(error).split())
        raise DataError(
            f"no such file or folder here, and no data set ({reason}); {advice}", file=source
        ) from error
    if split not in content:
        raise DataError(f"has no split {split!r}, but {', '.join(content)}", file=source)
    if column not in content[split].column_names:
        raise _absent(column, known=content[split].column_names, file=f"{source}/{split}")
    place = f"{source}/{split}"
    for number, row in enumerate(content[split].select_columns([column]), start=1):
        yield number, _text(row[column], column=column, file=place, number=number)


def _absent(column: str, *, known: Sequence[str], file: str, line: int | None = None) -> DataError:
    near = suggestion(column, known)
    names = ", ".join(map(repr, known)) or "none"
    message = f"no column {column!r}, but {names}{near}; name it with --text-column"
    return DataError(message, file=file, line=line)


def _text(value: object, *, column: str, file: str, number: int) -> str:
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        message = f"column {column!r} holds {kind}, not a text; leave such rows out"
        raise DataError(message, file=file, line=number)
    try:
        value.encode()
    except UnicodeEncodeError:
        message = "the text holds a lone surrogate, which is not a character"
        raise DataError(message, file=file, line=number) from None
    return value
