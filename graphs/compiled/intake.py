"""Read the sources of a graph into scratch files: numbers for triples, strings for later.

The first stage of building. Triples come in chunks; each part gets a serial from an interner (see
`graphs.interning`), and the serials go to a file. At the end the serials are replaced by numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.content import Source
from graphs.errors import GraphError
from graphs.folders import find_graph_files
from graphs.interning import DiskInterner, DiskNumbers
from graphs.readers import OnError, ReadReport, is_rdf, read_triples
from graphs.terms import is_blank
from graphs.triple import Triple

_CHUNK = 1 << 17


class Taken(NamedTuple):
    """What was read: strings by kind, rows (3, N) int32 with duplicates, mapped, and the sources.

    Source i gave `sources[i].triples` of the rows, in this order.
    """

    entities: DiskNumbers
    relations: DiskNumbers
    rows: NDArray[np.int32]
    sources: tuple[Source, ...]


def take_in(
    sources: Sequence[Path],
    scratch: Path,
    *,
    on_error: OnError,
    announce: Callable[[str], None],
    progress: Callable[[int], None],
) -> Taken:
    """Read all sources; `progress` is called with the bytes read of their files.

    Raises what `read_triples` raises, and `GraphError` if there is no triple at all.
    """
    intake = _Intake(scratch)
    counted = []
    for place, path in enumerate(sources):
        report, before = ReadReport(), intake.count
        triples = read_triples(path, on_error=on_error, report=report, progress=progress)
        while chunk := list(islice(triples, _CHUNK)):
            if len(sources) > 1 and is_rdf(path):
                chunk = [_apart(triple, place) for triple in chunk]
            intake.add(chunk)
        for remark in report.remarks(path):
            announce(remark)
        counted.append(
            Source(str(path), intake.count - before, 0, report.skipped, sha256(source_file(path)))
        )
    if not intake.count:
        names = ", ".join(map(str, sources))
        raise GraphError(f"{names}: no triple; the empty graph is called none")
    return intake.finish(tuple(counted))


def _apart(triple: Triple, source: int) -> Triple:
    """Return `triple` with the source's number in its blank nodes: labels are a file's own."""
    head, relation, tail = triple
    if head.startswith("_:") and is_blank(head):
        head = f"_:{source}.{head[2:]}"
    if tail.startswith("_:") and is_blank(tail):
        tail = f"_:{source}.{tail[2:]}"
    return Triple(head, relation, tail)


def source_file(path: Path) -> Path:
    """Return the file of a source's triples: itself, or the one in a folder."""
    return find_graph_files(path).triples if path.is_dir() else path


def sha256(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Intake:
    def __init__(self, scratch: Path) -> None:
        self.count = 0
        self._path = scratch / "rows"
        self._interners = []
        for kind in ("entities", "relations"):
            (scratch / kind).mkdir()
            self._interners.append(DiskInterner(scratch / kind))

    def add(self, triples: Sequence[Triple]) -> None:
        """Take a chunk."""
        entities, relations = self._interners
        rows = np.empty((len(triples), 3), dtype=np.int32)
        # A head before its tail, triple by triple: numbers tell the order of first appearance.
        ends = entities.add([end for head, _, tail in triples for end in (head, tail)])
        rows[:, 0], rows[:, 2] = ends[::2], ends[1::2]
        rows[:, 1] = relations.add([relation for _, relation, _ in triples])
        with self._path.open("ab") as file:
            file.write(rows.data)
        self.count += len(triples)

    def finish(self, sources: tuple[Source, ...]) -> Taken:
        """Number the strings, and write the numbers in place of the serials."""
        entities, relations = (interner.finish() for interner in self._interners)
        rows = np.memmap(self._path, dtype=np.int32, mode="r+", shape=(self.count, 3))
        for start in range(0, self.count, _CHUNK):
            chunk = rows[start : start + _CHUNK]
            for column, strings in enumerate((entities, relations, entities)):
                chunk[:, column] = strings.ids[chunk[:, column]]
        return Taken(entities, relations, rows.T, sources)
