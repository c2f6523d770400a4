"""Read the files of a benchmark folder line by line: triples with or without a label, and texts.

A file of triples has three fields in every line, or four in every line, the last of them `1` (true)
or `-1` (made up). Fields are kept as they stand; empty lines hold nothing; a byte order mark before
the first line and one carriage return at a line's end are dropped. Nothing is skipped: a line that
does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphs.errors import GraphError, ParseError
from graphs.opening import COMPRESSIONS, is_there, text_lines
from graphs.triple import Triple

# (head, relation, tail) or (head, relation, tail, label)
Record = tuple[str, str, str] | tuple[str, str, str, int]

_LABELS = {"1": 1, "-1": -1}
_PACKED = ("", *COMPRESSIONS)
_SHOWN = 60


def find_file(folder: Path, *, stems: tuple[str, ...]) -> Path:
    """Return the one file of `folder` named by a stem, `.tsv` or `.txt`, compressed or not.

    Raises `GraphError` where there is none, or more than one.
    """
    names = [
        stem + end + packed for stem in stems for end in (".tsv", ".txt") for packed in _PACKED
    ]
    found = [name for name in names if is_there(folder / name) and (folder / name).is_file()]
    if len(found) > 1:
        raise GraphError(f"{folder}: holds {' and '.join(found)}; keep one of them")
    if not found:
        wanted = " or ".join(stem + end for stem in stems for end in (".tsv", ".txt"))
        raise GraphError(f"{folder}: has no {wanted}, plain or compressed")
    return folder / found[0]


def read_labelled(path: Path) -> Iterator[Record]:
    """Yield each triple of `path`, with its label where the file has labels.

    Raises `ParseError` for a line that is no triple, or has a label where the lines before have
    none, or none where they have; `GraphError` for a file that cannot be opened.
    """
    width = 0
    for number, text in text_lines(path):
        fields = text.split("\t")
        if len(fields) != (width or len(fields)) or len(fields) not in (3, 4):
            wanted = width or "3 (head, relation, tail) or 4 (and a label)"
            message = f"{len(fields)} fields instead of {wanted}: {_show(text)}"
            raise ParseError(message, file=path, line=number)
        width = len(fields)
        for name, value in zip(Triple._fields, fields, strict=False):
            if not value or value.isspace():
                raise ParseError(f"empty {name}: {_show(text)}", file=path, line=number)
        head, relation, tail, *label = fields
        if not label:
            yield head, relation, tail
        elif label[0] in _LABELS:
            yield head, relation, tail, _LABELS[label[0]]
        else:
            message = f"label {_show(label[0])}; it must be 1 (true) or -1 (made up)"
            raise ParseError(message, file=path, line=number)


def read_texts(folder: Path) -> dict[str, str]:
    """Read `entity2text.txt` of `folder`: entity TAB text; without such a file there are no texts.

    The text is kept whole, with the gloss that may follow a name, as it is what a model reads; only
    white space around it is dropped. Raises `ParseError` for a line without a text, and for a
    second text of an entity.
    """
    names = ["entity2text.txt" + packed for packed in _PACKED]
    found = [name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        raise GraphError(f"{folder}: holds {' and '.join(found)}; keep one of them")
    texts: dict[str, str] = {}
    for path in (folder / name for name in found):
        for number, line in text_lines(path):
            entity, _, text = line.partition("\t")
            if not entity or not text.strip():
                message = f"no entity TAB text: {_show(line)}"
                raise ParseError(message, file=path, line=number)
            if entity in texts:
                message = f"a second text of {_show(entity)}; keep one of them"
                raise ParseError(message, file=path, line=number)
            texts[entity] = text.strip()
    return texts


def _show(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
