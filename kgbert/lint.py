"""Look for what makes texts worse than they need be; loading says what makes them useless.

`lint_folder` reads the text files of a KG-BERT folder and lists every broken line, where loading
stops at the first. `lint_data` looks at the texts that a model would read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from kgbert.dataset import KnowledgeData
from kgbert.text_files import find_file, read_text_file, shown
from kgbert.texts import DESCRIPTIONS, NAMES, RELATIONS

# Two texts of so many words cannot both be in BERT's 512 positions.
LONG: Final = 255

_ESCAPES: Final = ("\\n", '\\"', "\\t", "\\r")


class Finding(NamedTuple):
    """One kind of trouble: how often, where it is first, and what to do."""

    kind: str
    times: int
    where: str
    advice: str

    def text(self) -> str:
        """Return it as one line."""
        return f"{self.kind}: {self.times:,} ({self.where}); {self.advice}"


def lint_folder(folder: Path) -> list[Finding]:
    """List broken lines of a folder's text files: columns, empty texts, second texts.

    Raises `graphs.GraphError` for a file that cannot be read.
    """
    found = []
    for path in _files(folder):
        problems = read_text_file(path).problems
        for kind, count in Counter(problem.kind for problem in problems).items():
            first = next(problem for problem in problems if problem.kind == kind)
            where = f"{path}:{first.line}: {first.message}"
            found.append(Finding(_KINDS[kind], count, where, _ADVICE[kind]))
    return found


def lint_data(data: KnowledgeData) -> list[Finding]:
    """List what is odd in the texts of `data`: shared, escaped, long, only punctuation."""
    found = []
    for what, ids, texts in (
        ("entities", data.entities, data.texts.entities),
        ("relations", data.relations, data.texts.relations),
    ):
        counts = Counter(texts)
        several = {text for text, count in counts.items() if count > 1}
        tests = (
            (f"{what} that share their text with another", several.__contains__,
             "a model cannot tell them apart; give them other names, or descriptions"),
            (f"texts of {what} with an escape such as \\n or \\\"", _is_escaped,
             "they are read as they stand; write a space or a quote in the file"),
            (f"texts of {what} with more than {LONG} words", _is_long,
             "the end is cut, so say what matters first"),
            (f"texts of {what} without a letter or digit", _is_bare,
             "give them words"),
        )  # fmt: skip
        for kind, test, advice in tests:
            hits = [number for number, text in enumerate(texts) if test(text)]
            if hits:
                where = f"first {shown(ids[hits[0]])}, {shown(texts[hits[0]])}"
                found.append(Finding(kind, len(hits), where, advice))
    return found


def _files(folder: Path) -> Iterator[Path]:
    groups: Sequence[Sequence[str]] = (*((name,) for name in (*NAMES, *DESCRIPTIONS)), RELATIONS)
    for names in groups:
        path = find_file(folder, names)
        if path is not None:
            yield path


def _is_escaped(text: str) -> bool:
    return any(escape in text for escape in _ESCAPES)


def _is_long(text: str) -> bool:
    return len(text.split()) > LONG


def _is_bare(text: str) -> bool:
    return not any(character.isalnum() for character in text)


_KINDS: Final = {
    "columns": "lines that are not id TAB text",
    "empty": "empty texts",
    "repeated": "second texts of an id",
}
_ADVICE: Final = {
    "columns": "loading stops there; write one TAB in a line",
    "empty": "loading stops there, unless on_missing is 'id' or 'skip'",
    "repeated": "loading stops there; keep one of them",
}
