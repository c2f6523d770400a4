"""Hold the figures of `graphs.leakage`, and show them to people and to programs.

What is counted, of a true triple (h, r, t) of dev or test, is what the true triples of train hold:

- repeated: (h, r, t) itself
- reversed: (t, r, h), as a symmetric relation has it
- inverse: (t, s, h) for a relation s that is an inverse of r (see `graphs.redundancy`)
- backward: (t, s, h) for any other relation s, inverse or not
- duplicate: (h, s, t) for a relation s that is a duplicate of r
- parallel: (h, s, t) for any other relation s, duplicate or not
- linked: any of these, which is what Toutanova & Chen 2015 removed to make FB15k-237

A triple of an entity with itself may be parallel, but not reversed, inverse or backward. A line is
unseen if its head, relation or tail is in no line of train. Every line counts, one that occurs
twice too; a line labelled -1 counts as unseen or contradicted only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from graphs.redundancy import Kind

# So many relations and pairs are shown, and so much of a name; a program gets all of it.
_ROWS = 10
_WIDTH = 40


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Count lines of dev or test, or of one relation in it; the module says what is what."""

    lines: int
    triples: int
    repeated: int
    reversed: int
    inverse: int
    backward: int
    duplicate: int
    parallel: int
    linked: int
    unseen: int


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """Describe one part by itself.

    - `lines`, `triples`: all lines, and those stated as true
    - `repeats`: lines that are the same, label included, as an earlier line of the part
    - `contradicted`: lines labelled -1 whose triple train states as true
    """

    lines: int
    triples: int
    repeats: int
    contradicted: int


@dataclass(frozen=True, kw_only=True)
class HeldOutReport(PartReport):
    """Describe dev or test beside train.

    - `unseen_entities`, `unseen_relations`: how many of them are in no line of train
    - `total`, `by_relation`: the figures, and those of each relation, the one of most lines first
    """

    unseen_entities: int
    unseen_relations: int
    total: Figures
    by_relation: Mapping[str, Figures]


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """Name two redundant relations, what they share, and the lines so given away by train."""

    kind: Kind
    first: str
    second: str
    shared: int
    share_of_first: float
    share_of_second: float
    dev: int
    test: int


@dataclass(frozen=True, kw_only=True)
class TextReport:
    """Say how many entities have a text, and how many share theirs with another, in `groups`.

    `largest` names the texts that most entities share, with the number of those.
    """

    with_text: int
    without_text: int
    sharing: int
    groups: int
    largest: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class LeakageReport:
    """Hold all figures of a benchmark.

    `overlap` counts the different true triples that two parts have in common; relations are
    redundant where they share more than `threshold` of the pairs of each.
    """

    name: str
    entities: int
    relations: int
    threshold: float
    train: PartReport
    dev: HeldOutReport
    test: HeldOutReport
    overlap: Mapping[str, int]
    pairs: tuple[PairReport, ...]
    texts: TextReport

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dictionaries, lists, texts and numbers, which JSON can hold."""
        return {**asdict(self), "pairs": [asdict(pair) for pair in self.pairs]}

    def render(self) -> str:
        """Return the report as plain tables for people; long lists are cut, which is said."""
        head = f"{_plain(self.name)}: {self.entities:,} entities, {self.relations:,} relations"
        tables = [_parts(self), _held_out(self), _relations(self), _pairs(self), _texts(self)]
        return "\n\n".join([head, *filter(None, tables)])


def _parts(report: LeakageReport) -> str:
    names = ("train", "dev", "test")
    parts = [report.train, report.dev, report.test]
    rows = [
        (name, part.lines, part.triples, part.repeats, part.contradicted)
        for name, part in zip(names, parts, strict=True)
    ]
    table = _table(("part", "lines", "true", "repeats", "-1 but true in train"), rows)
    shared = ", ".join(f"{pair} {number:,}" for pair, number in report.overlap.items())
    return f"{table}\ntriples in two parts: {shared}"


def _held_out(report: LeakageReport) -> str:
    labels = {
        "repeated": "in train as it stands",
        "reversed": "reversed, by the same relation",
        "inverse": "reversed, by an inverse relation",
        "backward": "reversed, by any other relation",
        "duplicate": "same way, by a duplicate relation",
        "parallel": "same way, by any other relation",
        "linked": "linked in train by any of these",
        "unseen": "with something unseen in train",
    }
    rows: list[tuple[object, ...]] = []
    for name, label in labels.items():
        row: list[object] = [label]
        for part in (report.dev, report.test):
            whole = part.total.lines if name == "unseen" else part.total.triples
            number = getattr(part.total, name)
            row += [number, _share(number, whole)]
        rows.append(tuple(row))
    for name in ("entities", "relations"):
        numbers = [getattr(part, f"unseen_{name}") for part in (report.dev, report.test)]
        rows.append((f"unseen {name}", numbers[0], "", numbers[1], ""))
    return _table(("triples", "dev", "", "test", ""), rows)


def _relations(report: LeakageReport) -> str:
    names = [each.name for each in fields(Figures)]
    rows = [
        (relation, *(getattr(figures, name) for name in names))
        for relation, figures in report.test.by_relation.items()
    ]
    return _table(("test, by relation", *names), rows) if rows else ""


def _pairs(report: LeakageReport) -> str:
    title = f"redundant relations (over {report.threshold:.0%})"
    rows = [
        (
            pair.kind, pair.first, "" if pair.kind == "symmetric" else pair.second, pair.shared,
            f"{pair.share_of_first:.1%}", f"{pair.share_of_second:.1%}", pair.dev, pair.test,
        )
        for pair in report.pairs
    ]  # fmt: skip
    if not rows:
        return f"{title}: none"
    columns = ("kind", "first", "second", "shared", "of first", "of second", "in dev", "in test")
    return f"{title}\n{_table(columns, rows)}"


def _texts(report: LeakageReport) -> str:
    texts = report.texts
    if not texts.with_text:
        return "texts: none"
    share = _share(texts.sharing, texts.with_text).strip()
    line = (
        f"texts: {texts.with_text:,} entities have one, {texts.without_text:,} have none; "
        f"{texts.sharing:,} ({share}) share theirs, in {texts.groups:,} groups"
    )
    largest = ", ".join(f"{text!r} {number:,}" for text, number in texts.largest.items())
    return f"{line}\nmost shared: {largest}" if largest else line


def _share(number: int, whole: int) -> str:
    return f"{number / whole:.1%}" if whole else "-"


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out columns, texts to the left and numbers to the right; say how many rows are cut."""
    shown = [list(columns), *([_cell(value) for value in row] for row in rows[:_ROWS])]
    widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]
    right = [isinstance(value, int) or "%" in str(value) for value in rows[0]]
    lines = []
    for row in shown:
        pads = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        cells = [
            pad + cell if is_right else cell + pad
            for cell, pad, is_right in zip(row, pads, right, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    if len(rows) > _ROWS:
        lines.append(f"… and {len(rows) - _ROWS:,} more")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    text = _plain(str(value))
    return text if len(text) <= _WIDTH else "…" + text[1 - _WIDTH :]


def _plain(text: str) -> str:
    """Return `text` without what would end a line or steer a terminal."""
    return text if text.isprintable() else repr(text)[1:-1]


def _width(text: str) -> int:
    """Count the columns of a terminal, of which a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
