"""WordPiece in plain Python: what the original tokenises every candidate with, anew each time.

Written for the comparison, after the description of BERT's tokeniser: clean the text, lower it and
take off accents, split at white space, punctuation and Chinese characters, and cut each word into
the longest pieces of the vocabulary, from the left. A test holds it equal to `kbert.Tokenizer`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kbert.tokenizer import Tokenizer

_LONGEST_WORD: Final = 100
_CHINESE: Final = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)


class PlainWordPiece:
    """Tokenise lower-cased text with a vocabulary of pieces and their ids."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Take the vocabulary, which holds `[UNK]`."""
        self._vocabulary = vocabulary

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> PlainWordPiece:
        """Take the vocabulary of a tokeniser that lowers its text."""
        return cls({tokenizer.piece(number): number for number in range(len(tokenizer))})

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces of `text`, without special tokens."""
        return [piece for word in _words(text) for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[int]:
        unknown = [self._vocabulary["[UNK]"]]
        if len(word) > _LONGEST_WORD:
            return unknown
        pieces, start = [], 0
        while start < len(word):
            end = len(word)
            while end > start:
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self._vocabulary:
                    pieces.append(self._vocabulary[piece])
                    break
                end -= 1
            else:
                return unknown
            start = end
        return pieces


def _words(text: str) -> Iterator[str]:
    for word in _spaced(text).split():
        bare = unicodedata.normalize("NFD", word.lower())
        bare = "".join(char for char in bare if unicodedata.category(char) != "Mn")
        yield from _split(bare)


def _spaced(text: str) -> str:
    """Drop control characters and put spaces around Chinese characters."""
    kept = []
    for char in text:
        if char in "\t\n\r" or unicodedata.category(char) == "Zs":
            kept.append(" ")
        elif char in "\0\ufffd" or unicodedata.category(char) in ("Cc", "Cf"):
            continue
        elif any(low <= ord(char) <= high for low, high in _CHINESE):
            kept.append(f" {char} ")
        else:
            kept.append(char)
    return "".join(kept)


def _split(word: str) -> Iterator[str]:
    """Make each punctuation mark a word of its own."""
    begun = ""
    for char in word:
        if not _is_punctuation(char):
            begun += char
            continue
        if begun:
            yield begun
        yield char
        begun = ""
    if begun:
        yield begun


def _is_punctuation(char: str) -> bool:
    code = ord(char)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(char).startswith("P")
