"""How many columns a text takes on a terminal, and texts made safe to be shown there.

East Asian wide characters and emoji take two columns, marks that sit on others none (Unicode
Standard Annex 11). Control characters, which could steer a terminal, and marks that turn the
direction of a whole line are shown by name instead.
"""

from __future__ import annotations

import unicodedata

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NO_COLUMN = ("Mn", "Me", "Cf")


def width(text: str) -> int:
    """Return the columns that `text` takes on a terminal."""
    return sum(map(_width_of, text))


def fitted(text: str, columns: int) -> str:
    """Return `text`; if it is wider than `columns` (at least 1), what fits before a `…`."""
    if width(text) <= columns:
        return text
    taken = 0
    for number, character in enumerate(text):
        taken += _width_of(character)
        if taken > columns - 1:
            return text[:number] + "…"
    raise AssertionError("a text that is too wide ends somewhere")


def padded(text: str, columns: int) -> str:
    """Return `text` with spaces up to `columns`."""
    return text + " " * max(0, columns - width(text))


def visible(text: str) -> str:
    """Return `text` with line ends and tabs as spaces, controls and turning marks by name."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    if character in _TURNING:
        return f"⟨U+{ord(character):04X}⟩"
    if ord(character) < 0x20:
        return chr(0x2400 + ord(character))
    kind = unicodedata.category(character)
    return f"⟨U+{ord(character):04X}⟩" if kind in ("Cc", "Cs") else character


def _width_of(character: str) -> int:
    if character < "\u0300":  # the common case
        return 1
    if unicodedata.category(character) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
