"""Number distinct strings: from a number to its string, and back.

In memory that is a tuple and a dictionary. In a compiled graph it is a heap, the UTF-8 of all
strings in a row, with a hash table beside it; both are mapped, so that opening costs nothing and
processes share the pages. A slot of the table holds the numbers of the strings whose XXH3 begins
with the slot's bits; there are as many slots as strings or up to twice as many, so that a look-up
compares one or two.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from mmap import mmap
from operator import eq
from typing import NamedTuple, overload

import numpy as np
import xxhash
from numpy.typing import NDArray

_CHUNK = 1 << 14


class _Listed(Sequence[str]):
    """Strings in an order, equal to any other sequence of the same strings."""

    def __eq__(self, other: object) -> bool:
        """Compare with any sequence, string by string."""
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]


class Strings(_Listed):
    """List distinct strings; entry `number` is the string of that number."""

    @abstractmethod
    def number(self, text: str) -> int:
        """Return the number of `text`, or -1 if it is none of these strings."""

    @abstractmethod
    def getter(self) -> Callable[[int], str]:
        """Return the fastest function from a valid number to its string."""

    @abstractmethod
    def take(self, numbers: Iterable[int]) -> list[str]:
        """Return the strings of `numbers`, which must be valid."""

    def __contains__(self, value: object) -> bool:
        """Say whether `value` is one of these strings."""
        return isinstance(value, str) and self.number(value) >= 0

    def __iter__(self) -> Iterator[str]:
        """Iterate in the order of the numbers."""
        for start in range(0, len(self), _CHUNK):
            yield from self.take(range(start, min(start + _CHUNK, len(self))))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        """Return the string of a number, or the strings of a slice, as a sequence's."""
        places = range(len(self))[index]
        return self.take([places])[0] if isinstance(places, int) else self.take(places)

    def __repr__(self) -> str:
        """Show the first strings and their count."""
        shown = ", ".join(map(repr, self.take(range(min(3, len(self))))))
        return f"<{len(self)} strings: {shown}{', …' if len(self) > 3 else ''}>"


class MemoryStrings(Strings):
    """Strings as Python objects."""

    def __init__(self, numbers: dict[str, int]) -> None:
        """Take a dictionary from string to number, whose numbers are 0, 1, 2, … in its order."""
        self._numbers = numbers
        self._strings = tuple(numbers)

    @classmethod
    def of(cls, strings: Iterable[str]) -> MemoryStrings:
        """Number `strings` in their order; equal ones count once."""
        return cls({text: number for number, text in enumerate(dict.fromkeys(strings))})

    def number(self, text: str) -> int:
        """Return the number of `text`, or -1."""
        return self._numbers.get(text, -1)

    def getter(self) -> Callable[[int], str]:
        """Return the tuple's own function."""
        return self._strings.__getitem__

    def take(self, numbers: Iterable[int]) -> list[str]:
        """Return the strings of `numbers`."""
        return list(map(self._strings.__getitem__, numbers))

    def __len__(self) -> int:
        """Return how many strings there are."""
        return len(self._strings)

    def __iter__(self) -> Iterator[str]:
        """Iterate in the order of the numbers."""
        return iter(self._strings)


class Heap(NamedTuple):
    """Strings as arrays: `heap` (bytes) uint8, `offsets` (N + 1) int64, and the hash table.

    String i is `heap[offsets[i]:offsets[i + 1]]`. `slots` (S + 1) int32, S a power of two, says
    where in `numbers` (N) int32 the numbers of each slot stand.
    """

    heap: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    slots: NDArray[np.int32]
    numbers: NDArray[np.int32]


class HeapStrings(Strings):
    """Strings in (mapped) arrays."""

    def __init__(self, arrays: Heap, *, heap: mmap | None = None) -> None:
        """Take the arrays as they are; whoever maps them has checked them.

        `heap` is the map itself of `arrays.heap`, whose slices are bytes and so are faster.
        """
        # Memory views give plain Python numbers, which are faster to use than numpy's scalars.
        self._heap: mmap | memoryview = arrays.heap.data if heap is None else heap
        self._offsets = arrays.offsets.data
        self._slots = arrays.slots.data
        self._numbers = arrays.numbers.data
        self._shift = slot_shift(len(self._slots) - 1)

    def number(self, text: str) -> int:
        """Return the number of `text`, or -1."""
        try:
            data = text.encode()
        except UnicodeEncodeError:  # a lone surrogate, which stands in no string
            return -1
        slot = xxhash.xxh3_64_intdigest(data) >> self._shift
        heap, offsets = self._heap, self._offsets
        for number in self._numbers[self._slots[slot] : self._slots[slot + 1]]:
            if heap[offsets[number] : offsets[number + 1]] == data:
                return int(number)
        return -1

    def getter(self) -> Callable[[int], str]:
        """Return a function that decodes one string."""
        heap, offsets = self._heap, self._offsets

        def get(number: int) -> str:
            return str(heap[offsets[number] : offsets[number + 1]], "utf-8")

        return get

    def take(self, numbers: Iterable[int]) -> list[str]:
        """Return the strings of `numbers`."""
        heap, offsets = self._heap, self._offsets
        return [str(heap[offsets[i] : offsets[i + 1]], "utf-8") for i in numbers]

    def __len__(self) -> int:
        """Return how many strings there are."""
        return len(self._offsets) - 1


class Chosen(_Listed):
    """Some of the strings of a table, in an order of their own, decoded when asked for."""

    def __init__(self, strings: Strings, numbers: NDArray[np.int32]) -> None:
        """View those of `strings` whose `numbers` (N,) are given."""
        self.strings = strings
        self.numbers = numbers

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        """Iterate in order."""
        for start in range(0, len(self.numbers), _CHUNK):
            yield from self.strings.take(self.numbers[start : start + _CHUNK].tolist())

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Chosen: ...
    def __getitem__(self, index: int | slice) -> str | Chosen:
        """Return one of the strings, or a view of a slice."""
        if isinstance(index, slice):
            return Chosen(self.strings, self.numbers[index])
        return self.strings.take([int(self.numbers[index])])[0]

    def __repr__(self) -> str:
        """Show the first strings and their count."""
        return f"<{len(self)} of {self.strings!r}>"


def slot_shift(slots: int) -> int:
    """Return by how many bits a 64-bit hash is shifted to be a slot's number."""
    return 64 - (slots.bit_length() - 1)


def slot_count(strings: int) -> int:
    """Return the number of slots for so many strings: the next power of two, at least two."""
    return 1 << max(1, (strings - 1).bit_length())
