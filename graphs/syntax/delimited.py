"""Read lines of three fields, parted by tabs or commas: `.spo`, `.tsv` and `.csv`.

Fields are kept as they stand: `NA`, `null`, quotes, leading zeros and surrounding spaces mean
nothing special. Only CSV has quotes (RFC 4180, within one line). There are two ways to the same
triples: `line_triple` for one line, which says what is wrong with it, and `block_triples` for many
good lines at a time, which gives up where it meets anything unusual.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import repeat

from graphs.opening import MAX_LINE
from graphs.triple import Triple

_SHOWN = 60


def line_triple(text: str, *, separator: str) -> Triple | None:
    """Return the triple of a line without its end, or None for an empty one.

    ValueError says in one line what is wrong.
    """
    if not text:
        return None
    fields = _split_commas(text) if separator == "," else text.split(separator)
    if len(fields) != 3:
        raise ValueError(f"{len(fields)} fields instead of 3 (head, relation, tail): {_show(text)}")
    for name, value in zip(Triple._fields, fields, strict=True):
        if not value or value.isspace():
            raise ValueError(f"empty {name}: {_show(text)}")
    return Triple._make(fields)


def block_triples(block: bytes, *, separator: str, first: bool) -> list[Triple] | None:
    """Return the triples of a block of whole lines, or None where one is not plainly a triple.

    `first` says that the block begins the file, where a byte order mark may stand. None says
    nothing about the lines: some may be empty, or quoted; go through them with `line_triple`.
    """
    if len(block) > MAX_LINE or b"\0" in block or (separator == "," and b'"' in block):
        return None
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if first:
        text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    # A line feed as a fourth field of each line: it is one in four if all lines have three.
    parts = text.replace("\n", f"{separator}\n{separator}").split(separator)
    count = len(parts) // 4
    if len(parts) != 4 * count + 1 or parts[-1] or parts[3::4].count("\n") != count:
        return None
    columns = parts[0:-1:4], parts[1::4], parts[2::4]
    if not all(all(map(str.strip, column)) for column in columns):
        return None
    return make_triples(zip(*columns, strict=True))


def make_triples(parts: Iterable[tuple[str, ...]]) -> list[Triple]:
    """Return as triples what has three parts each: as `Triple._make`, but unchecked and faster."""
    return list(map(tuple.__new__, repeat(Triple), parts))


# A quoted field with quotes doubled, or one that begins with no quote. The csv module is not used:
# it refuses a bare carriage return and fields of over 128 KiB.
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


def _show(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
