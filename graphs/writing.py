"""Tell scripts that put spaces between words from scripts that do not.

A character is *spaced* if it belongs to a word in a script that separates words by spaces: Latin,
Cyrillic, Greek, Arabic, Devanagari, … Chinese, Japanese, Thai and their like are not, and neither
is Korean: it has spaces, but particles attach to a name, so a name's end is no word's end.
Punctuation, symbols and white space are never spaced. One table over all code points, made on
first use, answers for single characters and for whole texts (numpy). This is no segmenter.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

CODE_POINTS = 0x110000

# No assigned letter above plane 1 is spaced: planes 2 and 3 are ideographs, the others hold
# variation selectors, tags and private use.
_SEARCHED = 0x20000

# Inclusive ranges of letters, digits and marks that are not spaced. Blocks are taken whole.
_UNSPACED: tuple[tuple[int, int], ...] = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul Jamo
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19FF),  # Tai Le, New Tai Lue, Khmer symbols
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x20D0, 0x20FF),  # marks on symbols, such as the keycap of an emoji
    (0x2460, 0x24FF),  # ① ⒈ ⓐ: they number what follows and belong to no word
    (0x2776, 0x2793),  # ❶ ➀ ➊
    (0x2E80, 0x312F),  # CJK radicals, 々 〇, Kana, Bopomofo
    (0x3130, 0x4DBF),  # Hangul Compatibility Jamo, CJK strokes, enclosed CJK, Extension A
    (0x4E00, 0xA4CF),  # CJK ideographs, Yi
    (0xA960, 0xA9DF),  # Hangul Jamo Extended-A, Javanese
    (0xA9E0, 0xA9FF),  # Myanmar Extended-B
    (0xAA60, 0xAADF),  # Myanmar Extended-A, Tai Viet
    (0xAC00, 0xD7FF),  # Hangul syllables, Jamo Extended-B
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0xFE00, 0xFE0F),  # variation selectors: they follow ideographs and emoji
    (0xFE30, 0xFE4F),  # CJK compatibility forms
    (0xFF66, 0xFFDC),  # half-width Kana and Hangul
    (0x11700, 0x1174F),  # Ahom
    (0x16FE0, 0x18DFF),  # Tangut, Khitan, Nushu iteration marks
    (0x1AFF0, 0x1B2FF),  # Kana supplements, Nushu
)


@cache
def spaced_table() -> NDArray[np.bool_]:
    """Return the read-only table (0x110000,) bool: is the character of this code point spaced."""
    table = np.zeros(CODE_POINTS, dtype=np.bool_)
    category = unicodedata.category
    table[:_SEARCHED] = [category(chr(code))[0] in "LMN" for code in range(_SEARCHED)]
    table[ord("_")] = True
    for first, last in _UNSPACED:
        table[first : last + 1] = False
    table.flags.writeable = False
    return table


@cache
def _flags() -> bytes:
    # For one character, indexing bytes is faster than indexing an array.
    return spaced_table().tobytes()


def is_spaced(char: str) -> bool:
    """Say whether the one character `char` belongs to a word of a script that spaces its words."""
    return _flags()[ord(char)] == 1


def joint(left: str, right: str) -> str:
    """Return what stands between two texts put in a row: `" "` between two words, else `""`.

    A space is needed where the last character of `left` and the first of `right` are both spaced:
    `CEO` and `Apple`, but not `首都` and `中国`, nor `CEO` and `苹果`.
    """
    return " " if left and right and is_spaced(left[-1]) and is_spaced(right[0]) else ""
