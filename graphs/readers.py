"""Read triples from files of every format, and from published folders: strict, streaming, verbatim.

The suffix names the format, and `.gz` or `.zst` after it how the file is compressed: text
(`.spo`, `.tsv`, `.csv`; see `graphs.syntax.delimited`), N-Triples and N-Quads (`.nt`, `.nq`), and
what `graphs.rdf` reads as a whole (`.ttl`, `.trig`, `.n3`, `.rdf`, `.owl`, `.xml`, `.jsonld`).

A file of lines is bytes, cut at line feeds only (U+2028, a bare carriage return or a form feed
inside a line stays; in N-Triples and N-Quads a carriage return ends a line too), decoded as strict
UTF-8. Empty lines hold nothing; a byte order mark before the first line and one carriage return at
a line's end are dropped. Anything else that is not a triple is an error that names the file and the
line.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from operator import length_hint
from pathlib import Path
from typing import Literal, NamedTuple

from graphs.errors import GraphError, ParseError, UnknownFormat
from graphs.folders import find_graph_files
from graphs.opening import (
    COMPRESSIONS,
    MAX_LINE,
    Progress,
    bare_name,
    blocks,
    is_there,
    line_text,
    open_bytes,
    split_lines,
)
from graphs.syntax.delimited import block_triples, line_triple, make_triples
from graphs.syntax.ntriples import parse_line, parse_lines, parse_quad
from graphs.triple import Triple

OnError = Literal["fail", "skip"]

MAX_MESSAGES = 10

_SEPARATORS = {".spo": "\t", ".tsv": "\t", ".csv": ","}
_BY_LINE = (".nt", ".nq")
_AS_A_WHOLE = (".ttl", ".trig", ".n3", ".rdf", ".owl", ".xml", ".jsonld")

RDF_SUFFIXES: tuple[str, ...] = (*_BY_LINE, *_AS_A_WHOLE)
_FORMATS = (*_SEPARATORS, *RDF_SUFFIXES)
SUFFIXES: tuple[str, ...] = tuple(form + end for end in ("", *COMPRESSIONS) for form in _FORMATS)


@dataclass
class ReadReport:
    """Count what a reader met: `triples` given, lines `skipped`, and the first ten `messages`.

    `merged` counts the triples that stood in named graphs; `notes` says what else a user should
    know, one line each. `triples` may run ahead by a block of lines while a file is being read.
    """

    triples: int = 0
    skipped: int = 0
    messages: list[str] = field(default_factory=list)
    merged: int = 0
    notes: list[str] = field(default_factory=list)

    def remarks(self, path: str | Path) -> list[str]:
        """Return what a user should know of the reading of `path`, one line each."""
        lines = list(self.notes)
        if self.merged:
            lines.append(f"{path}: {self.merged} triples of named graphs, merged into one graph")
        if self.skipped:
            lines.append(f"{self.skipped} bad lines skipped, the first: {self.messages[0]}")
        return lines


def is_rdf(path: str | Path) -> bool:
    """Say whether the suffix of `path`, under that of a compression, is one of RDF.

    A folder is not, whatever its name.
    """
    return _suffix(Path(path)) in RDF_SUFFIXES and not Path(path).is_dir()


def read_triples(
    path: str | Path,
    *,
    on_error: OnError = "fail",
    report: ReadReport | None = None,
    progress: Progress | None = None,
) -> Generator[Triple, None, None]:
    """Yield the triples of the file or folder `path` in order; the suffix names the format.

    Of a folder, KG-BERT's or Wikidata5M's, the training triples are read (see `graphs.folders`).
    `on_error="skip"` leaves out lines that hold no triple and counts them in `report`, which it
    needs: nothing is skipped in silence. Formats that are read as a whole have no lines to skip,
    and a damaged compressed file fails in either case. `progress` is called with the number of
    bytes of each piece that is read of the file as it lies there; they add up to its size. The
    file is closed when the iterator is exhausted or closed.

    Raises at once `UnknownFormat`, and `GraphError` for a folder of another kind or where lines
    cannot be skipped; while iterating `ParseError` for a line, and `GraphError` for a file that
    cannot be opened.
    """
    if on_error not in ("fail", "skip"):
        raise GraphError(f"on_error is {on_error!r}; it must be 'fail' or 'skip'")
    if on_error == "skip" and report is None:
        raise GraphError("on_error='skip' needs report=ReadReport(), which counts what is skipped")
    path, report = Path(path), report or ReadReport()
    if is_there(path) and path.is_dir():
        files = find_graph_files(path)
        report.notes += files.notes()
        path, suffix = files.triples, ".tsv"
    else:
        suffix = _known_suffix(path)
    skip = on_error == "skip"
    if suffix in _AS_A_WHOLE:
        if skip:
            raise GraphError(
                f"{path}: bad lines can be skipped where a line is a triple, not in {suffix}; "
                "mend the file, or convert it to .nt"
            )
        return _read_rdf(path, suffix=suffix, report=report, progress=progress)
    lines = _lines_of(suffix, report=report)
    return _read_lines(path, lines=lines, skip=skip, report=report, progress=progress)


class _Lines(NamedTuple):
    """Parse a file of lines: `line` raises ValueError, `block` returns None for unusual lines."""

    line: Callable[[str], Sequence[Triple]]
    block: Callable[[bytes, bool], Sequence[Triple] | None]
    allow_nul: bool


def _lines_of(suffix: str, *, report: ReadReport) -> _Lines:
    if suffix == ".nt":
        return _Lines(_parse_triples, partial(_parse_block, parse=parse_lines), allow_nul=True)
    if suffix == ".nq":
        quads = partial(_parse_quads, report=report)
        return _Lines(quads, partial(_parse_block, parse=quads), allow_nul=True)
    separator = _SEPARATORS[suffix]

    def line(text: str) -> Sequence[Triple]:
        triple = line_triple(text, separator=separator)
        return () if triple is None else (triple,)

    def block(data: bytes, first: bool) -> Sequence[Triple] | None:
        return block_triples(data, separator=separator, first=first)

    return _Lines(line, block, allow_nul=False)


def _parse_triples(text: str) -> Sequence[Triple]:
    return make_triples(filter(None, map(parse_line, _rdf_lines(text))))


def _parse_quads(text: str, *, report: ReadReport) -> Sequence[Triple]:
    quads = list(filter(None, map(parse_quad, _rdf_lines(text))))
    report.merged += sum(1 for *_, graph in quads if graph)
    return make_triples(quad[:3] for quad in quads)


def _rdf_lines(text: str) -> list[str]:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def _parse_block(
    data: bytes, first: bool, *, parse: Callable[[str], Iterable[tuple[str, str, str]]]
) -> Sequence[Triple] | None:
    """Parse many lines at once, or return None, so that one by one they say what is wrong."""
    if len(data) > MAX_LINE:
        return None
    try:
        text = data.decode("utf-8")
        return make_triples(parse(text.removeprefix("\ufeff") if first else text))
    except ValueError:
        return None


def _read_lines(
    path: Path, *, lines: _Lines, skip: bool, report: ReadReport, progress: Progress | None
) -> Generator[Triple, None, None]:
    number = 1
    with closing(blocks(path, progress=progress)) as source:
        for block in source:
            triples = lines.block(block, number == 1)
            if triples is not None:
                yield from _counted(triples, report=report)
                number += block.count(b"\n")
                continue
            for raw in split_lines(block):
                try:
                    text = line_text(raw, first=number == 1, allow_nul=lines.allow_nul)
                    triples = lines.line(text)
                except ValueError as error:
                    problem = ParseError(str(error), file=path, line=number)
                    if not skip:
                        raise problem from None
                    report.skipped += 1
                    if len(report.messages) < MAX_MESSAGES:
                        report.messages.append(str(problem))
                else:
                    yield from _counted(triples, report=report)
                number += 1


def _read_rdf(
    path: Path, *, suffix: str, report: ReadReport, progress: Progress | None
) -> Generator[Triple, None, None]:
    from graphs.rdf import read_rdf

    with (
        open_bytes(path, progress=progress) as file,
        closing(read_rdf(file, path=path, suffix=suffix, report=report)) as triples,
    ):
        for triple in triples:
            report.triples += 1
            yield Triple._make(triple)


def _counted(triples: Sequence[Triple], *, report: ReadReport) -> Generator[Triple, None, None]:
    """Yield `triples`, and count those that were given, also if nobody asks for the rest."""
    rest = iter(triples)
    report.triples += len(triples)
    try:
        yield from rest
    finally:
        report.triples -= length_hint(rest)


def _suffix(path: Path) -> str:
    return Path(bare_name(path)).suffix


def _known_suffix(path: Path) -> str:
    suffix = _suffix(path)
    if suffix not in _FORMATS:
        known = ", ".join(_FORMATS)
        ends = " or ".join(COMPRESSIONS)
        raise UnknownFormat(f"{path}: unknown format; known are {known}, and each with {ends}")
    return suffix
