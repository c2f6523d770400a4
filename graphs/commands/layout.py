"""Lay out text for a terminal: tables, bars, and names that cannot do harm there."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

_SHOWN = 60
_BAR = 40


def shown(name: str, *, limit: int | None = _SHOWN) -> str:
    r"""Return `name` for a terminal: controls and invisible characters as `\u200b`, and shortened.

    A name must not move the cursor, break the line, or reverse the writing of what follows.
    """
    if limit is not None and len(name) > limit:
        name = name[: limit - 1] + "…"
    if name.isprintable():
        return name
    return "".join(_escaped(char) if _is_hidden(char) else char for char in name)


def _is_hidden(char: str) -> bool:
    # Joiners belong to the spelling of Persian, of Indic scripts and of emoji.
    hidden = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return hidden and char not in "\u200c\u200d"


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes; Chinese characters take two."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def table(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """Return the rows as lines with aligned columns, those of the numbers `right` to the right."""
    columns = len(rows[0]) if rows else 0
    widths = [max(width(row[column]) for row in rows) for column in range(columns)]
    to_right = set(right)
    lines = []
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            gap = " " * (widths[column] - width(cell))
            cells.append(gap + cell if column in to_right else cell + gap)
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def bar(value: int, *, most: int) -> str:
    """Return a bar of `value` in proportion to `most`; what is not zero has one block at least."""
    if not value:
        return ""
    return "█" * max(1, round(_BAR * value / most))


def number(value: int) -> str:
    """Return a whole number with a comma at each thousand."""
    return f"{value:,}"


def share(part: int, whole: int) -> str:
    """Return a share as a percentage; of nothing it is a dash."""
    return f"{part / whole:.1%}" if whole else "–"
