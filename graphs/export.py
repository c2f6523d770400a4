"""Write a graph in a format that others read: streaming, in source order, whole or not at all.

`nt`, `nq` and `ttl` are RDF; texts that are no RDF terms become `urn:graphs:…` IRIs, which the
readers here turn back. `tsv` holds the texts as they stand, one triple a line. `graphml` is for
programs that draw networks, `parquet` for tables. What a format cannot hold is refused before a
byte is written, and the first offender is named: reading a written graph gives the same triples.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final, Literal, cast, get_args

from graphs.errors import GraphError, UnknownFormat, suggestion
from graphs.opening import MAX_LINE
from graphs.replacing import replacing
from graphs.store import TripleStore
from graphs.syntax.graphml import check_graphml, graphml_lines
from graphs.syntax.ntriples import format_triple
from graphs.syntax.turtle_writer import turtle_lines

Format = Literal["nt", "nq", "ttl", "tsv", "graphml", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_SUFFIXES: Final[dict[str, Format]] = {
    **{f".{name}": name for name in FORMATS},
    ".spo": "tsv",
}
_CHUNK = 1 << 14
_ROWS = 1 << 16  # of a group of a Parquet file
_SHOWN = 60


def export(store: TripleStore, path: str | Path, *, format: Format | None = None) -> None:
    """Write `store` to the file `path`; without a `format` the suffix names it.

    A suffix `.gz` after it compresses. The file appears, or replaces the one that stood there, only
    once it is complete. Raises `GraphError` for what the format cannot hold and for a file that
    cannot be written, `UnknownFormat` where suffix and format name none, or two.
    """
    path = Path(path)
    format = format_of(path, format=format)
    check(store, format=format)
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(replacing(path))
        if path.suffix.lower() == ".gz":
            # No name and no time inside: the same graph gives the same bytes.
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6)
            file = cast(BinaryIO, stack.enter_context(packed))
        write(store, file, format=format)


def format_of(path: str | Path, *, format: str | None = None) -> Format:
    """Return the format to write to `path`: `format`, which its suffix must not contradict.

    Raises `UnknownFormat`.
    """
    name = Path(path).name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    known = ", ".join(FORMATS)
    if format is not None and format not in FORMATS:
        raise UnknownFormat(f"no format {format!r}; known are {known}{suggestion(format, FORMATS)}")
    named = _SUFFIXES.get(suffix)
    if format is None and named is None:
        raise UnknownFormat(f"{path}: its suffix names no format that is written: {known}")
    if format is not None and named not in (None, format):
        raise UnknownFormat(f"{path}: its suffix says {named}, but the format is {format}")
    if named is None and suffix in _READ_AS_OTHERS:
        raise UnknownFormat(f"{path}: its suffix says {suffix[1:]}, but the format is {format}")
    if named is not None:
        return named
    return next(each for each in FORMATS if each == format)


# Written under such a name, a graph would be read as something else, or not at all.
_READ_AS_OTHERS: Final = frozenset(
    {".csv", ".trig", ".n3", ".rdf", ".owl", ".xml", ".jsonld", ".json", ".zst"}
)


def check(store: TripleStore, *, format: Format) -> None:
    """Raise `GraphError`, naming the first offender, where `format` cannot hold `store`."""
    if format == "tsv":
        _check_tsv(store)
    elif format == "graphml":
        check_graphml(store)
    if format in ("nt", "nq", "tsv"):
        _check_lines(store, format=format)


def write(store: TripleStore, file: BinaryIO, *, format: Format) -> None:
    """Write `store` to an open file; `check` says beforehand whether that is possible."""
    if format == "parquet":
        _write_parquet(store, file)
        return
    lines = _LINES[format](store)
    while chunk := list(islice(lines, _CHUNK)):
        chunk.append("")
        file.write("\n".join(chunk).encode("utf-8"))


def _tsv_lines(store: TripleStore) -> Iterator[str]:
    return map("\t".join, store)


def _nt_lines(store: TripleStore) -> Iterator[str]:
    return (format_triple(*triple) for triple in store)


# A graph without a name is a document of N-Quads as it is one of N-Triples.
_LINES: Final[dict[str, Callable[[TripleStore], Iterator[str]]]] = {
    "nt": _nt_lines,
    "nq": _nt_lines,
    "tsv": _tsv_lines,
    "ttl": turtle_lines,
    "graphml": graphml_lines,
}


def _check_tsv(store: TripleStore) -> None:
    advice = "write it as nt or parquet instead"
    for names in (store.entities, store.relations):
        for name in _suspects(names, "\t\n"):
            what = "a TAB" if "\t" in name else "a line feed"
            raise GraphError(f"tsv cannot hold {what}, which {_show(name)} has; {advice}")
    if len(store) and store.entities[0].startswith("\ufeff"):
        first = _show(store.entities[0])
        raise GraphError(f"tsv loses the byte order mark at the start of {first}; {advice}")
    ends = [name for name in _suspects(store.entities, "\r") if name.endswith("\r")]
    tails = [name for name in ends if store.tail_count(name)]
    if tails:
        shown = _show(tails[0])
        raise GraphError(f"tsv loses the carriage return at the end of {shown}; {advice}")


def _check_lines(store: TripleStore, *, format: Format) -> None:
    """Refuse a triple whose line is longer than the readers take."""
    longest = max(map(len, chain(store.entities, store.relations)), default=0)
    # A character is 12 bytes at most: four of UTF-8, percent-encoded.
    if 3 * 12 * longest < MAX_LINE // 2:
        return
    for triple in store:
        line = "\t".join(triple) if format == "tsv" else format_triple(*triple)
        if len(line.encode()) > MAX_LINE:
            raise GraphError(
                f"the triple of {_show(triple.head)} and {_show(triple.tail)} makes a line of more "
                f"than {MAX_LINE} bytes, which is not read again; write it as parquet instead"
            )


def _suspects(names: Iterable[str], characters: str) -> Iterator[str]:
    """Yield the names that hold one of `characters`; most are only looked at by the thousand."""
    rest = iter(names)
    while chunk := list(islice(rest, _CHUNK)):
        joined = "\0".join(chunk)
        if any(character in joined for character in characters):
            yield from (name for name in chunk if any(each in name for each in characters))


def _show(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…")


def _write_parquet(store: TripleStore, file: BinaryIO) -> None:
    """Write columns head, relation, tail; of a graph with names head_name, … too, null for none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["head", "relation", "tail"]
    if store.named:
        columns += ["head_name", "relation_name", "tail_name"]
    schema = pa.schema([(column, pa.string()) for column in columns])
    with pq.ParquetWriter(file, schema) as writer:
        triples = iter(store)
        while chunk := list(islice(triples, _ROWS)):
            parts: list[tuple[str, ...]] = list(zip(*chunk, strict=True))
            values: list[list[str | None]] = [list(part) for part in parts]
            if store.named:
                for part, name in zip(
                    parts, (store.name_of, store.relation_name, store.name_of), strict=True
                ):
                    values.append([name(each) or None for each in part])
            arrays = [pa.array(column, pa.string()) for column in values]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
