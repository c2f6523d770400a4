"""Read the text files of a KG-BERT folder: `id TAB text` in a line, and lists of ids.

White space at the end of a line is dropped, as the original does, so an empty last column is none.
All that is wrong with a file is collected, each with its line; who loads data raises the first, and
`kgbert.lint` shows all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from graphs.opening import COMPRESSIONS, text_lines
from kbert.errors import DataError

_SHOWN = 60


class Problem(NamedTuple):
    """Say what is wrong with one line, and what to do."""

    kind: Literal["columns", "empty", "repeated"]
    line: int
    message: str


@dataclass(frozen=True)
class TextFile:
    """The texts of a file by id, in its order; `blank` are ids without a text, and their lines."""

    path: Path
    texts: dict[str, str]
    blank: dict[str, int]
    problems: tuple[Problem, ...]

    def checked(self) -> TextFile:
        """Return itself. Raises `DataError` for the first line that is no id and text."""
        for kind, line, message in self.problems:
            if kind != "empty":  # whether a text may be missing is for the loader to say
                raise DataError(message, file=self.path, line=line)
        return self


def find_file(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first file of `folder` that is there, compressed or not.

    Raises `DataError` where one is there twice.
    """
    for name in names:
        found = [folder / (name + end) for end in ("", *COMPRESSIONS)]
        found = [path for path in found if path.is_file()]
        if len(found) > 1:
            both = " and ".join(path.name for path in found)
            raise DataError(f"holds {both}; keep one of them", file=folder)
        if found:
            return found[0]
    return None


def read_text_file(path: Path) -> TextFile:
    """Read a file of texts. Raises `graphs.GraphError` where it cannot be read, or is no text."""
    texts: dict[str, str] = {}
    blank: dict[str, int] = {}
    problems: list[Problem] = []
    for number, line in text_lines(path):
        key, *fields = line.rstrip().split("\t")
        text = fields[0].strip() if fields else ""
        if not key.strip() or len(fields) > 1 or "\t" not in line:
            count = line.rstrip().count("\t") + 1
            problem = Problem("columns", number, f"{count} columns, not id TAB text: {shown(line)}")
        elif not text:
            problem = Problem("empty", number, f"{shown(key)} has an empty text; write one")
            blank.setdefault(key, number)
        elif texts.get(key, text) != text:
            problem = Problem("repeated", number, f"a second text of {shown(key)}; keep one")
        else:
            texts[key] = text
            continue
        problems.append(problem)
    return TextFile(path, texts, blank, tuple(problems))


def read_ids(path: Path) -> list[str]:
    """Read one id a line, each once. Raises `DataError` for a line of several columns."""
    ids: dict[str, None] = {}
    for number, line in text_lines(path):
        if "\t" in line.strip():
            raise DataError(f"not one id a line: {shown(line)}", file=path, line=number)
        ids[line.strip()] = None
    ids.pop("", None)
    return list(ids)


def shown(text: str) -> str:
    """Quote a text for a message, cut after 60 characters."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
