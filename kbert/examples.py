"""Labelled examples as the readers hand them on: texts with a label, words with tags.

An example is raw text; nothing here knows a tokeniser. Pre-split words become raw text again by
one rule (`join_words`), since entity names are found in raw text: Chinese characters are joined
without spaces, everything else keeps one. The rule asks for no space exactly where BERT's
pre-tokeniser cuts anyway, so that no piece ever belongs to two words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Example = TypeVar("Example")

# The blocks that BERT's pre-tokeniser (as the `tokenizers` library has it) sets apart as Chinese.
# Ideographs outside of them, such as extension G, stay inside a word there and so they do here.
_IDEOGRAPHS: Final = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
# CJK Symbols and Punctuation, CJK Compatibility Forms, Halfwidth and Fullwidth Forms.
_PUNCTUATION: Final = ((0x3000, 0x303F), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF))
_PREFIXES: Final = frozenset("BIES")
_ASCII_SYMBOLS: Final = frozenset("$+<=>^`|~")  # which BERT counts as punctuation


@dataclass(frozen=True, slots=True)
class TextExample:
    """One text or pair of texts with its label; `place` is "file:line", for messages."""

    text: str
    pair: str | None
    label: str | None
    place: str


@dataclass(frozen=True, slots=True)
class TaggedExample:
    """Pre-split words and one tag a word; `place` is "file:line", for messages."""

    words: tuple[str, ...]
    tags: tuple[str, ...] | None
    place: str


@dataclass(frozen=True, slots=True)
class Splits(Generic[Example]):
    """The three parts of a data set, in the order of the source; `dev` and `test` may be empty."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]


def join_words(words: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the raw text of `words` and each word's half-open character span in it.

    Two words are separated by a space unless one of the two characters that meet is a Chinese
    ideograph or a punctuation mark of the CJK and full-width blocks. Raises `ValueError` for an
    empty word, which would have no place in the text.
    """
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    end = 0
    for number, word in enumerate(words):
        if not word:
            raise ValueError(f"word {number + 1} of {len(words)} is empty")
        if number and not (_stands_alone(words[number - 1][-1]) or _stands_alone(word[0])):
            parts.append(" ")
            end += 1
        parts.append(word)
        spans.append((end, end + len(word)))
        end += len(word)
    return "".join(parts), tuple(spans)


def split_words(text: str) -> tuple[tuple[int, int], ...]:
    """Split raw text into words to be tagged: half-open character spans, in order.

    A word is what stands between white space, less the punctuation at its two edges, each mark of
    which is a word of its own; punctuation within stays (`Al-Qaida`, `3,000`), and so does the
    final period of a word with an inner one (`U.S.`). Chinese ideographs and CJK punctuation are
    words of their own. Words are cut only where BERT's pre-tokeniser cuts too. Data sets split by
    rules of their own, so where theirs are known, words that are split already are better.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for at, character in enumerate((*text, " ")):
        alone = _stands_alone(character)
        if alone or character.isspace():
            spans += _without_edges(text, start, at)
            start = at + 1
        if alone:
            spans.append((at, at + 1))
    return tuple(spans)


def _without_edges(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Set the punctuation at the edges of `text[start:end]` apart, mark by mark."""
    first, last = start, end
    while first < last and _is_punctuation(text[first]):
        first += 1
    while last > first and _is_punctuation(text[last - 1]):
        inner = text[first : last - 1]
        if text[last - 1] == "." and "." in inner and not _is_punctuation(inner[-1]):
            break
        last -= 1
    marks = [(at, at + 1) for at in (*range(start, first), *range(last, end))]
    return sorted([*marks, (first, last)]) if first < last else marks


def split_tag(tag: str) -> tuple[str, str]:
    """Return prefix and entity type of a BIO or BIOES tag: `B-LOC` is ("B", "LOC"), `O` ("O", "").

    Raises `ValueError` for anything else; a type may itself hold hyphens.
    """
    if tag == "O":
        return "O", ""
    prefix, hyphen, kind = tag.partition("-")
    if prefix not in _PREFIXES or not hyphen or not kind:
        raise ValueError(f"{tag!r} is not a tag: O, or B-, I-, E- or S- and an entity type")
    return prefix, kind


def _is_punctuation(character: str) -> bool:
    """Tell whether BERT's pre-tokeniser cuts on both sides of this mark."""
    return character in _ASCII_SYMBOLS or unicodedata.category(character).startswith("P")


def _stands_alone(character: str) -> bool:
    """Tell whether BERT's pre-tokeniser cuts on both sides of this CJK character."""
    code = ord(character)
    if code < 0x3000:
        return False
    if any(first <= code <= last for first, last in _IDEOGRAPHS):
        return True
    in_block = any(first <= code <= last for first, last in _PUNCTUATION)
    return in_block and unicodedata.category(character).startswith("P")
