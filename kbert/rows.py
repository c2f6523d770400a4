"""From a table's row to an example: what a cell may hold, and what is an error.

Text is a string with something to read in it. A label is a string, a whole number or a truth
value. Words and tags are a list of strings, or one string in which single spaces separate them.
Everything else raises `DataError` with file and line; nothing is repaired or left out.
"""

from __future__ import annotations

from kbert.columns import Chosen
from kbert.errors import DataError
from kbert.examples import TaggedExample, TextExample, split_tag
from kbert.tables import Row


def text_example(row: Row, *, chosen: Chosen, file: str) -> TextExample:
    """Return the row's text, its second text if one is chosen, and its label."""
    try:
        pair = None if chosen.pair is None else _text(row.cells[chosen.pair], what="second text")
        return TextExample(
            text=_text(row.cells[chosen.text], what="text"),
            pair=pair,
            label=_label(row.cells[chosen.label]),
            place=f"{file}:{row.line}",
        )
    except ValueError as error:
        raise DataError(str(error), file=file, line=row.line) from None


def tagged_example(row: Row, *, chosen: Chosen, file: str) -> TaggedExample:
    """Return the row's words and their tags, as many as words."""
    try:
        words = _strings(row.cells[chosen.text], what="word")
        _text("".join(words), what="text")
        if row.cells[chosen.label] is None:
            raise ValueError("no tags; training and evaluation need them")
        tags = _strings(row.cells[chosen.label], what="tag")
        for tag in tags:
            split_tag(tag)
        if len(words) != len(tags):
            raise ValueError(f"{len(words)} words, but {len(tags)} tags")
    except ValueError as error:
        raise DataError(str(error), file=file, line=row.line) from None
    return TaggedExample(words, tags, f"{file}:{row.line}")


def _text(cell: object, *, what: str) -> str:
    if not isinstance(cell, str):
        raise ValueError(f"the {what} must be a string, not {_kind(cell)}")
    if not cell.strip():
        raise ValueError(f"the {what} is empty")
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError as error:
        broken = f"\\u{ord(cell[error.start]):04x}"
        raise ValueError(f"the {what} holds half of a surrogate pair, {broken}") from None
    return cell


def _label(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return str(cell)
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise ValueError("no label; training and evaluation need one, prediction takes plain text")
    if isinstance(cell, str):
        return cell
    raise ValueError(f"a label must be a string or a whole number, not {_kind(cell)}")


def _strings(cell: object, *, what: str) -> tuple[str, ...]:
    if isinstance(cell, str):
        strings = cell.split(" ")
    elif isinstance(cell, list) and all(isinstance(item, str) for item in cell):
        strings = cell
    else:
        shape = f"a list of strings or a string of {what}s between spaces"
        raise ValueError(f"the {what}s must be {shape}, not {_kind(cell)}")
    if not strings or cell == "":
        raise ValueError(f"no {what}s")
    if "" in strings:
        reason = "; single spaces separate them" if isinstance(cell, str) else ""
        raise ValueError(f"{what} {strings.index('') + 1} of {len(strings)} is empty{reason}")
    return tuple(strings)


def _kind(cell: object) -> str:
    """Name a cell's type and value in few characters."""
    if cell is None:
        return "missing"
    value = repr(cell)
    return f"{type(cell).__name__} {value if len(value) <= 40 else value[:39] + '…'}"
