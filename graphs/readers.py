"""Read triples from `.spo`, `.tsv` and `.csv` files, also gzipped: strict, streaming, verbatim.

A file is bytes, cut at line feeds only (U+2028, a bare carriage return or a form feed inside a line
stays), decoded as strict UTF-8, and split into exactly three fields. Fields are kept as they stand:
`NA`, `null`, quotes, leading zeros and surrounding spaces mean nothing special. Empty lines hold
nothing; a byte order mark before the first line and one carriage return at a line's end are
dropped. Anything else that is not a triple is an error that names the file and the line.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Literal

from graphs.errors import GraphError, ParseError, UnknownFormat
from graphs.triple import Triple

OnError = Literal["fail", "skip"]

MAX_LINE = 1 << 20
MAX_MESSAGES = 10
_BOM = b"\xef\xbb\xbf"
_SHOWN = 60


@dataclass
class ReadReport:
    """Count what a reader met: `triples` given, lines `skipped`, and the first ten `messages`."""

    triples: int = 0
    skipped: int = 0
    messages: list[str] = field(default_factory=list)


def read_triples(
    path: str | Path, *, on_error: OnError = "fail", report: ReadReport | None = None
) -> Generator[Triple, None, None]:
    """Yield the triples of `path` in order; the suffix names the format.

    `on_error="skip"` leaves out lines that hold no triple and counts them in `report`, which it
    needs: nothing is skipped in silence. A broken gzip stream fails in either case. The file is
    closed when the iterator is exhausted or closed.

    Raises `UnknownFormat` at once; while iterating `ParseError` for a line, and `GraphError` for a
    file that cannot be opened.
    """
    if on_error not in ("fail", "skip"):
        raise GraphError(f"on_error is {on_error!r}; it must be 'fail' or 'skip'")
    if on_error == "skip" and report is None:
        raise GraphError("on_error='skip' needs report=ReadReport(), which counts what is skipped")
    split = _splitter(Path(path))
    return _read(Path(path), split=split, skip=on_error == "skip", report=report or ReadReport())


def _read(
    path: Path, *, split: Callable[[str], list[str]], skip: bool, report: ReadReport
) -> Generator[Triple, None, None]:
    lines = _lines(path)
    try:
        for number, line in enumerate(lines, start=1):
            try:
                triple = _parse(line, split=split, first=number == 1)
            except ValueError as error:
                problem = ParseError(str(error), file=path, line=number)
                if not skip:
                    raise problem from None
                report.skipped += 1
                if len(report.messages) < MAX_MESSAGES:
                    report.messages.append(str(problem))
                continue
            if triple is not None:
                report.triples += 1
                yield triple
    finally:
        lines.close()


def _lines(path: Path) -> Generator[bytes, None, None]:
    """Yield each line with its line feed; of one over the limit, only the first MAX_LINE + 1."""
    number = 1
    with ExitStack() as stack:
        try:
            file = _open(path, stack=stack)
            while line := file.readline(MAX_LINE + 1):
                yield line
                number += 1
                while len(line) > MAX_LINE and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            message = f"damaged gzip file ({error}); download or compress it again"
            raise ParseError(message, file=path, line=number) from None
        except OSError as error:
            raise GraphError(f"{path}: cannot be read: {error.strerror or error}") from None


def _open(path: Path, *, stack: ExitStack) -> BufferedIOBase:
    file = stack.enter_context(path.open("rb"))
    if path.suffix.lower() != ".gz":
        return file
    # gzip takes a file of no bytes for an empty stream; it is a download that never arrived.
    if not file.peek(1):
        raise EOFError("no bytes")
    return stack.enter_context(gzip.GzipFile(fileobj=file))


def _parse(raw: bytes, *, split: Callable[[str], list[str]], first: bool) -> Triple | None:
    """Return the triple of a line, or None for an empty one; ValueError says what is wrong."""
    line = raw.removesuffix(b"\n").removesuffix(b"\r")
    mark = len(_BOM) if first and line.startswith(_BOM) else 0
    if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
        raise ValueError(f"line of more than {MAX_LINE} bytes; is this a file of triples?")
    if b"\0" in line:
        raise ValueError(f"NUL at byte {line.index(0) + 1}; is this a text file?")
    try:
        text = line[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x} at byte {mark + error.start + 1}"
        raise ValueError(f"{byte} is not UTF-8; save the file as UTF-8") from None
    if not text:
        return None
    fields = split(text)
    if len(fields) != 3:
        raise ValueError(f"{len(fields)} fields instead of 3 (head, relation, tail): {_show(text)}")
    for name, value in zip(Triple._fields, fields, strict=True):
        if not value or value.isspace():
            raise ValueError(f"empty {name}: {_show(text)}")
    return Triple._make(fields)


def _show(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def _split_tabs(line: str) -> list[str]:
    return line.split("\t")


# RFC 4180 within one line: a quoted field with quotes doubled, or one that begins with no quote.
# The csv module is not used: it refuses a bare carriage return and fields of over 128 KiB.
_CSV_FIELD = re.compile(r'"([^"]*(?:""[^"]*)*)"(?![^,])|(?!")([^,]*)')


def _split_commas(line: str) -> list[str]:
    """Split at commas outside quotes; ValueError where a quote is not closed as it should be."""
    if '"' not in line:
        return line.split(",")
    fields: list[str] = []
    position = 0
    while position <= len(line):
        match = _CSV_FIELD.match(line, position)
        if match is None:
            raise ValueError(
                f"field {len(fields) + 1} opens a quote that does not close before a comma or "
                f"the line's end: {_show(line)}"
            )
        quoted, bare = match.groups()
        fields.append(bare if quoted is None else quoted.replace('""', '"'))
        position = match.end() + 1
    return fields


_SPLITTERS: dict[str, Callable[[str], list[str]]] = {
    ".spo": _split_tabs,
    ".tsv": _split_tabs,
    ".csv": _split_commas,
}

SUFFIXES: tuple[str, ...] = (*_SPLITTERS, *(suffix + ".gz" for suffix in _SPLITTERS))


def _splitter(path: Path) -> Callable[[str], list[str]]:
    name = path.name.lower().removesuffix(".gz")
    try:
        return _SPLITTERS[Path(name).suffix]
    except KeyError:
        if path.is_dir():
            raise GraphError(f"{path}: is a folder; name a file of triples in it") from None
        known = ", ".join(SUFFIXES)
        raise UnknownFormat(f"{path}: unknown format; known are {known}") from None
