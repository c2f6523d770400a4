"""Knowledge injection the straightforward way: what the fast one is compared with.

Written for the comparison, in the spirit of the original K-BERT: every substring is looked up in a
dictionary, every character is a token, a tree is lists of lists, and each sentence gets a dense
float matrix of who sees whom, padded or cut to the full length. It does what the original does
after its word segmenter, which is left out here, so it is the faster of the two. On text of
Chinese characters alone its trees equal ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs import TripleStore


class NaiveTree(NamedTuple):
    """A sentence ready for the original's encoder, every part padded or cut to one length L.

    *Shape:* visible (L, L) float64, 1 where two tokens see each other.
    """

    token_ids: list[int]
    soft_positions: list[int]
    trunk: list[bool]
    visible: NDArray[np.float64]
    length: int


class _Word(NamedTuple):
    """Characters of the trunk, and the branches that hang on them: indices of flattened tokens."""

    tokens: list[int]
    branches: list[list[int]]


def read_vocabulary(path: Path) -> dict[str, int]:
    """Read a `vocab.txt`: the line number is the id."""
    return {piece: i for i, piece in enumerate(path.read_text(encoding="utf-8").split("\n"))}


def facts_of(store: TripleStore) -> dict[str, list[str]]:
    """List the texts of each entity's facts, relation and tail in one, in the source's order."""
    table: dict[str, list[str]] = {}
    for head, relation, tail in store:
        table.setdefault(head, []).append(relation + tail)
    return table


class NaiveInjector:
    """Build padded sentence trees one list at a time."""

    def __init__(
        self,
        facts: Mapping[str, Sequence[str]],
        vocabulary: Mapping[str, int],
        *,
        max_facts: int = 2,
        max_length: int = 256,
    ) -> None:
        """Take the facts by entity and the ids by piece."""
        self.facts = facts
        self.vocabulary = vocabulary
        self.max_facts = max_facts
        self.max_length = max_length
        self.longest = max(map(len, facts), default=0)

    def __call__(self, text: str) -> NaiveTree:
        """Build the tree of one sentence: `[CLS]`, its characters with their facts, `[SEP]`."""
        pieces: list[str] = []
        positions: list[int] = []
        trunk: list[bool] = []
        words: list[_Word] = []
        position = 0
        for word in [["[CLS]"], *map(list, self._split(text)), ["[SEP]"]]:
            tokens = list(range(len(pieces), len(pieces) + len(word)))
            pieces += word
            positions += range(position, position + len(word))
            trunk += [True] * len(word)
            position += len(word)
            branches = []
            for fact in self.facts.get("".join(word), ())[: self.max_facts]:
                branches.append(list(range(len(pieces), len(pieces) + len(fact))))
                pieces += list(fact)
                positions += range(position, position + len(fact))
                trunk += [False] * len(fact)
            words.append(_Word(tokens, branches))
        unknown = self.vocabulary["[UNK]"]
        ids = [self.vocabulary.get(piece, unknown) for piece in pieces]
        return self._pad(ids, positions, trunk, _visible(words, len(pieces)))

    def _split(self, text: str) -> list[str]:
        """Cut a text into the longest names from the left, and single characters between."""
        text = "".join(text.split())  # the original's segmenter discards white space, too
        words, start = [], 0
        while start < len(text):
            for length in range(min(self.longest, len(text) - start), 1, -1):
                if text[start : start + length] in self.facts:
                    break
            else:
                length = 1
            words.append(text[start : start + length])
            start += length
        return words

    def _pad(
        self,
        ids: list[int],
        positions: list[int],
        trunk: list[bool],
        visible: NDArray[np.float64],
    ) -> NaiveTree:
        length, full = len(ids), self.max_length
        missing = full - length
        if missing >= 0:
            ids = ids + [self.vocabulary["[PAD]"]] * missing
            positions = positions + [full - 1] * missing
            trunk = trunk + [False] * missing
            visible = np.pad(visible, ((0, missing), (0, missing)))
        return NaiveTree(
            ids[:full], positions[:full], trunk[:full], visible[:full, :full], min(length, full)
        )


def _visible(words: Sequence[_Word], size: int) -> NDArray[np.float64]:
    """Fill the matrix row by row: trunk sees trunk, a word its branches, a branch its word."""
    matrix = np.zeros((size, size))
    sentence = [token for word in words for token in word.tokens]
    for word in words:
        seen = sentence + [token for branch in word.branches for token in branch]
        for token in word.tokens:
            matrix[token, seen] = 1
        for branch in word.branches:
            for token in branch:
                matrix[token, word.tokens + branch] = 1
    return matrix
