r"""Tables `id TAB text` in a run folder, one line an id, in the order of their numbers.

Unlike the files of KG-BERT's folders they give back any id and any text as they were: a backslash,
a tab and the ends of lines are written as `\\`, `\t`, `\n` and `\r`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kbert.errors import CheckpointError, RunError
from kbert.nn.checksums import read_bytes, seal

_MOST: Final = 4 << 30  # bytes; Wikidata5M has 2 GB of texts
_SPELLED: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_MEANT: Final = {spelled: meant for meant, spelled in _SPELLED.items()}
_RAW: Final = re.compile(r"[\\\t\n\r]")
_ESCAPE: Final = re.compile(r"\\.?")


def write_table(path: Path, ids: Sequence[str], texts: Sequence[str]) -> None:
    """Write a text for each id, and note the checksum. Raises `ValueError` if not as many."""
    rows = (f"{_escaped(key)}\t{_escaped(text)}\n" for key, text in zip(ids, texts, strict=True))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(rows)
    seal(path.parent, (path.name,))


def read_table(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids and the texts that `write_table` wrote. Raises `RunError`."""
    try:
        content = read_bytes(path, most=_MOST).decode("utf-8")
    except CheckpointError as error:
        raise RunError(str(error)) from None
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: damaged: not UTF-8 at byte {error.start}") from None
    ids, texts, seen = [], [], set()
    for number, line in enumerate(content.removesuffix("\n").split("\n") if content else [], 1):
        columns = [_ESCAPE.sub(_unescaped, column) for column in line.split("\t")]
        if len(columns) != 2:
            raise RunError(
                f"{path}:{number}: damaged: {len(columns)} columns, expected id and text"
            )
        if columns[0] in seen:
            raise RunError(f"{path}:{number}: damaged: {columns[0]!r} stands in it twice")
        seen.add(columns[0])
        ids.append(columns[0])
        texts.append(columns[1])
    return tuple(ids), tuple(texts)


def _escaped(text: str) -> str:
    return _RAW.sub(lambda match: _SPELLED[match[0]], text)


def _unescaped(match: re.Match[str]) -> str:
    return _MEANT.get(match[0], match[0])
