"""Look names up by how a text goes on: a marisa trie, and a table that says where to look at all.

Asking the trie at every character is slow. So a table over a hash of the first few characters says,
for a whole text at once in numpy, how long a name that starts here can be: 0 is certain, anything
else is a guess that the trie checks. Both are built from names in one pass each, and both can be
mapped from files.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import marisa_trie
import numpy as np
from numpy.typing import NDArray

from graphs.groups import Groups

LONG = 255
PADDING = 4  # characters after the last one that a key may reach

# How many first characters are hashed. Where names are many, too many runs of three characters
# begin one; where they are few, two more characters would cost more than they save.
KEY_WIDTHS = (1, 2, 3, 5)
_WIDTHS_OF_FEW = KEY_WIDTHS[:3]
_MANY = 1 << 20
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio (Fibonacci hashing)
_CHUNK = 1 << 16


class Bearer(NamedTuple):
    """A name, the number of an entity that bears it, and a rank: the lower, the likelier meant."""

    name: str
    entity: int
    rank: int


class NameTrie:
    """Find which names a text starts with; each has a number, and entities that bear it."""

    def __init__(
        self,
        trie: Any,
        *,
        reach: Reach,
        entities: Groups,
        lengths: NDArray[np.uint8],
        longest: int,
    ) -> None:
        """Take the parts that `build` makes or that are mapped.

        `entities` lists for each name the numbers of its entities, the likeliest first; `lengths`
        (K,) are the names' in characters, 255 standing for 255 or more; `longest` is exact.
        """
        self._trie = trie
        self.reach = reach
        self.entities = entities
        self.lengths = lengths
        self.longest = longest

    @classmethod
    def build(cls, bearers: Callable[[], Iterable[Bearer]]) -> NameTrie:
        """Build from names with their entities, which are gone through twice."""
        trie = marisa_trie.Trie(bearer.name for bearer in bearers())
        reach = Reach.sized(len(trie))
        rows, lengths, longest = (
            [np.empty((3, 0), dtype=np.int64)],
            np.zeros(len(trie), np.uint8),
            0,
        )
        stream = iter(bearers())
        while chunk := list(islice(stream, _CHUNK)):
            names, entities, ranks = zip(*chunk, strict=True)
            reach.enter(names, count=len(trie))
            ids = list(map(trie.__getitem__, names))
            sizes = list(map(len, names))
            lengths[ids] = np.minimum(sizes, LONG)
            longest = max(longest, *sizes)
            rows.append(np.array([ids, entities, ranks], dtype=np.int64))
        numbers, owners, ranked = np.concatenate(rows, axis=1)
        order = np.lexsort((ranked, numbers))  # stable: ties keep the order they came in
        values = owners[order].astype(np.int32)
        groups = Groups.of(numbers[order].astype(np.int32), values, count=len(trie))
        return cls(trie, reach=reach, entities=groups, lengths=lengths, longest=longest)

    @classmethod
    def map(
        cls,
        path: Path,
        data: NDArray[np.uint8],
        *,
        reach: Reach,
        entities: Groups,
        lengths: NDArray[np.uint8],
        longest: int,
    ) -> NameTrie:
        """Map the trie in `path`, which must be whole: marisa does not survive damage.

        `data` are the bytes of that file, which serve where it is gone since they were mapped.
        """
        trie = marisa_trie.Trie()
        try:
            trie.mmap(str(path))
        except (OSError, RuntimeError):
            trie = marisa_trie.Trie().frombytes(data.tobytes())
        return cls(trie, reach=reach, entities=entities, lengths=lengths, longest=longest)

    def to_array(self) -> NDArray[np.uint8]:
        """Return the bytes of the trie itself, as a file of them is mapped."""
        # Marisa's own way to save says nothing about a full disk until the file is damaged.
        return np.frombuffer(self._trie.tobytes(), dtype=np.uint8)

    def __len__(self) -> int:
        """Return the number of distinct names."""
        return len(self.lengths)

    def number(self, name: str) -> int:
        """Return the number of `name`, or -1."""
        try:
            found: int = self._trie.get(name, -1)
        except UnicodeEncodeError:  # a lone surrogate, which stands in no name
            return -1
        return found

    def prefixes(self, text: str) -> list[tuple[str, int]]:
        """Return the names that `text` starts with, shortest first, each with its number."""
        try:
            return list(self._trie.iter_prefixes_with_ids(text))
        except UnicodeEncodeError as error:
            return list(self._trie.iter_prefixes_with_ids(text[: error.start]))

    def prefix_names(self, text: str) -> list[str]:
        """Return the names that `text` starts with, shortest first."""
        try:
            names: list[str] = self._trie.prefixes(text)
        except UnicodeEncodeError as error:
            names = self._trie.prefixes(text[: error.start])
        return names


class Reach:
    """Bound the length of names by a hash of their first characters; never too low.

    A name is entered under as many of its first characters as it has, of the widths there are.
    """

    def __init__(self, table: NDArray[np.uint8], *, widths: Iterable[int]) -> None:
        """Take the table (2^b,) and which `widths` of `KEY_WIDTHS` occur in it."""
        self.table = table
        self.widths = tuple(sorted(widths))
        self._shift = np.uint64(64 - (len(table).bit_length() - 1))

    @classmethod
    def sized(cls, count: int) -> Reach:
        """Return an empty table for `count` names: sixteen slots a name, 4 KiB to 64 MiB."""
        bits = min(max((16 * count).bit_length(), 12), 26)
        return cls(np.zeros(1 << bits, dtype=np.uint8), widths=())

    def enter(self, names: Iterable[str], *, count: int) -> None:
        """Enter some of `count` names."""
        widths = KEY_WIDTHS if count > _MANY else _WIDTHS_OF_FEW
        groups: dict[int, list[str]] = {}
        for name in names:
            width = widths[bisect_right(widths, len(name)) - 1]
            groups.setdefault(width, []).append(name)
        self.widths = tuple(sorted({*self.widths, *groups}))
        for width, group in groups.items():
            starts = "".join([name[:width] for name in group]).encode("utf-32-le")
            codes = np.frombuffer(starts, dtype="<u4").astype(np.uint64).reshape(-1, width)
            hashes = codes[:, 0] * _MULTIPLIER
            for column in range(1, width):
                hashes = (hashes + codes[:, column]) * _MULTIPLIER
            lengths = np.minimum([len(name) for name in group], LONG).astype(np.uint8)
            np.maximum.at(self.table, (hashes >> self._shift).view(np.int64), lengths)

    def look_up(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """Return for each position of `codes` (N + PADDING,) but the last ones the bound, (N,).

        255 stands for 255 or more; 0 says that no name starts here.
        """
        wide = codes.astype(np.uint64)
        size = len(wide) - PADDING
        reach: NDArray[np.uint8] | None = None
        hashes = wide[:size] * _MULTIPLIER
        for width in range(1, max(self.widths, default=0) + 1):
            if width > 1:
                hashes = (hashes + wide[width - 1 : width - 1 + size]) * _MULTIPLIER
            if width in self.widths:
                found = self.table.take((hashes >> self._shift).view(np.int64))
                reach = found if reach is None else np.maximum(reach, found, out=reach)
        return np.zeros(size, dtype=np.uint8) if reach is None else reach
