"""Texts that a command is given, one a line, and JSON lines that it answers with.

Texts come from the arguments, from a file, or from standard input; each with its place, which
errors name. Empty lines may stand at the end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from kbert.errors import DataError

_BOM = b"\xef\xbb\xbf"
# JSON may hold them as they are, but some readers take them for the end of a line.
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
_CHUNK = 1024  # lines that are read before they are answered


def placed_texts(texts: Sequence[str], *, file: str | None) -> Iterator[tuple[str, str]]:
    """Return (place, text) of the arguments, else of `file`, else of standard input.

    Raises `DataError` at once where both are given, and, when it comes to it, for a file that
    cannot be read or a line that is not UTF-8.
    """
    if texts and file:
        raise DataError("texts stand on the command line and in --file; give one of them")
    return _source(texts, file=file)


def chunks(source: Iterator[tuple[str, str]]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield (places, texts), some at a time."""
    while chunk := list(islice(source, _CHUNK)):
        yield [place for place, _ in chunk], [text for _, text in chunk]


def json_line(content: Any) -> str:
    """Write one line of JSON; raises `ValueError` for a number that JSON does not have."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False).translate(_LINE_ENDS)


def _source(texts: Sequence[str], *, file: str | None) -> Iterator[tuple[str, str]]:
    if texts:
        yield from ((f"text {n}", text) for n, text in enumerate(texts, start=1))
    elif file:
        try:
            with Path(file).open("rb") as stream:
                yield from _lines(stream, name=file)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", file=file) from None
    else:
        yield from _lines(sys.stdin.buffer, name="standard input")


def _lines(stream: Iterable[bytes], *, name: str) -> Iterator[tuple[str, str]]:
    """Yield (place, text); empty lines at the end are none."""
    text_lines = 0
    for number, line in enumerate(stream, start=1):
        if number == 1:
            line = line.removeprefix(_BOM)
        try:
            text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"not UTF-8 at byte {error.start}; save the texts as UTF-8"
            raise DataError(message, file=name, line=number) from None
        if text:
            yield from ((f"{name}:{empty}", "") for empty in range(text_lines + 1, number))
            yield f"{name}:{number}", text
            text_lines = number
