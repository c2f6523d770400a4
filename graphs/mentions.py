"""Find the names of entities in raw text: leftmost, longest, at word boundaries.

From left to right, the longest name that starts at a character wins, and the search goes on at its
end. No match begins or ends between two characters of a word (see `graphs.writing`), which matters
only in scripts with spaces. The names stand in a marisa trie. Asking it at every character is slow,
so a table over a hash of the first (up to) three characters says, for the whole text at once in
numpy, how long a name that starts here can be: 0 is certain, anything else is a guess that the trie
checks. Optionally text and names are compared in a normal form. Nothing here knows the context: a
name is found wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import marisa_trie
import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.normal import NormalForm
from graphs.store import TripleStore
from graphs.triple import is_text
from graphs.writing import spaced_table

_KEY = 3
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio (Fibonacci hashing)
_LONG = 255


class Mention(NamedTuple):
    """Locate a name: characters `start` to `end` (half-open) of the raw text name `entity`."""

    start: int
    end: int
    entity: str


class MentionIndex:
    """Find the entities of a graph, or any names, in text."""

    def __init__(
        self,
        names: TripleStore | Iterable[str],
        *,
        min_length: int = 2,
        stop_names: Iterable[str] = (),
        case_fold: bool = False,
        nfkc: bool = False,
    ) -> None:
        """Index `names`; of a store its `heads`.

        An entity without facts has nothing to say and would only hide a shorter name that has.
        Names of fewer than `min_length` characters and `stop_names` are left out. With `case_fold`
        and `nfkc` text and names are compared in that normal form, cluster by cluster (see
        `graphs.normal`); lengths and stop names count in the normal form, too.

        Raises `GraphError` for a `min_length` below 1 and for names that are not texts.
        """
        if min_length < 1:
            raise GraphError(f"min_length is {min_length}; it must be at least 1")
        self._form = NormalForm(case_fold=case_fold, nfkc=nfkc)
        stopped = {self._form.apply(name) for name in _checked(stop_names, what="stop_names")}
        listed = names.heads if isinstance(names, TripleStore) else _checked(names, what="names")
        first: dict[str, str] = {}
        alike: dict[str, list[str]] = {}
        self._excluded = 0
        self._size = 0
        for name in dict.fromkeys(listed):
            key = self._form.apply(name)
            if len(key) < min_length or key in stopped:
                self._excluded += 1
                continue
            self._size += 1
            if first.setdefault(key, name) is not name:
                alike.setdefault(key, [first[key]]).append(name)
        self._trie = marisa_trie.Trie(first)
        self._longest = max(map(len, first), default=0)
        self._reach = _Reach(first)
        # Only what a key itself does not say: the names, in source order, that are written
        # otherwise.
        self._spellings = {
            key: tuple(alike.get(key, (name,)))
            for key, name in first.items()
            if name != key or key in alike
        }

    @property
    def excluded(self) -> int:
        """Count the names left out: too short, or stopped."""
        return self._excluded

    def __len__(self) -> int:
        """Return the number of names that can be found."""
        return self._size

    def __repr__(self) -> str:
        """Show the sizes."""
        return f"MentionIndex({self._size} names, {self._excluded} excluded)"

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in `text`, left to right, none overlapping another."""
        if self._form.is_identity:
            found = self._search(text, origins=None)
            return [Mention(start, end, text[start:end]) for start, end in found]
        normal, origins = self._form.trace(text)
        mentions = []
        for start, end in self._search(normal, origins=origins):
            raw_start, raw_end = int(origins[start]), int(origins[end])
            entity = self._entity(normal[start:end], spelling=text[raw_start:raw_end])
            mentions.append(Mention(raw_start, raw_end, entity))
        return mentions

    def _entity(self, key: str, *, spelling: str) -> str:
        """Return the entity of `key` spelled like the text, else the first in source order."""
        names = self._spellings.get(key, (key,))
        return spelling if spelling in names else names[0]

    def _search(self, text: str, *, origins: NDArray[np.intp] | None) -> list[tuple[int, int]]:
        """Return the matches in `text` as pairs of offsets; none splits a cluster of `origins`."""
        if not text or not self._size:
            return []
        # One character before and two after, so that every position has a boundary and a key.
        codes = np.frombuffer(f"\0{text}\0\0".encode("utf-32-le", "surrogatepass"), dtype="<u4")
        spaced = spaced_table().take(codes)
        inside = spaced[:-1] & spaced[1:]  # inside[i]: no match begins or ends before character i
        if origins is not None:
            inside[: len(origins)] |= origins < 0
        reach = self._reach.look_up(codes[1:])
        reach[inside[: len(text)]] = 0
        candidates = reach.nonzero()[0].tolist()
        if not candidates:
            return []
        matches = []
        reaches, closed, position = reach.tobytes(), inside.tobytes(), 0
        for start in candidates:
            if start >= position:
                length = reaches[start]
                stop = start + (length if length < _LONG else self._longest)
                for name in reversed(self._prefixes(text[start:stop])):
                    end = start + len(name)
                    if not closed[end]:
                        matches.append((start, end))
                        position = end
                        break
        return matches

    def _prefixes(self, text: str) -> list[str]:
        """Return the names that `text` starts with, shortest first."""
        try:
            names: list[str] = self._trie.prefixes(text)
        except UnicodeEncodeError as error:  # a lone surrogate, which stands in no name
            names = self._trie.prefixes(text[: error.start])
        return names


class _Reach:
    """Bound the length of names by a hash of their first characters; never too low.

    A name of one, two, or at least three characters is entered under its first one, two or three.
    """

    def __init__(self, names: Iterable[str]) -> None:
        groups: dict[int, list[str]] = {}
        for name in names:
            groups.setdefault(min(len(name), _KEY), []).append(name)
        self._widths = tuple(sorted(groups))
        # Sixteen slots a name, from 4 KiB to 16 MiB of bytes.
        count = sum(map(len, groups.values()))
        bits = min(max((16 * count).bit_length(), 12), 24)
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, dtype=np.uint8)
        for width, group in groups.items():
            starts = "".join(name[:width] for name in group).encode("utf-32-le")
            codes = np.frombuffer(starts, dtype="<u4").astype(np.uint64).reshape(-1, width)
            hashes = codes[:, 0] * _MULTIPLIER
            for column in range(1, width):
                hashes = (hashes + codes[:, column]) * _MULTIPLIER
            lengths = np.minimum([len(name) for name in group], _LONG).astype(np.uint8)
            np.maximum.at(self._table, (hashes >> self._shift).view(np.int64), lengths)

    def look_up(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """Return for each position of `codes` (N + 2,) but the last two the bound, (N,).

        255 stands for 255 or more; 0 says that no name starts here.
        """
        wide = codes.astype(np.uint64)
        size = len(wide) - _KEY + 1
        reach: NDArray[np.uint8] | None = None
        hashes = wide[:size] * _MULTIPLIER
        for width in range(1, _KEY + 1):
            if width > 1:
                hashes = (hashes + wide[width - 1 : width - 1 + size]) * _MULTIPLIER
            if width in self._widths:
                found = self._table.take((hashes >> self._shift).view(np.int64))
                reach = found if reach is None else np.maximum(reach, found, out=reach)
        return np.zeros(size, dtype=np.uint8) if reach is None else reach


def _checked(names: Iterable[str], *, what: str) -> list[str]:
    """Return `names` as a list; raise GraphError where one is not a text."""
    if isinstance(names, str):
        raise GraphError(f"{what} is the text {names!r}; give a list of names")
    checked = list(names)
    for name in checked:
        if not is_text(name):
            raise GraphError(f"{what} holds {name!r}, which is no text")
    return checked
