"""Give each distinct string a number, also where there are more strings than memory holds.

Strings come in chunks. Each string that is new in its chunk gets a serial, and goes to one of some
partitions by its hash; a partition is a file. At the end each partition is read by itself: among
equal strings the lowest serial leads. Leaders, in their order, get the numbers 0, 1, 2, …, so a
number tells the order of first appearance, whatever the partitions. What stays in memory is a few
bytes a serial and one partition's strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import xxhash
from numpy.typing import NDArray

from graphs.strings import Heap, MemoryStrings, Strings, slot_count, slot_shift

_PARTITIONS = 64


class Numbered(NamedTuple):
    """The outcome: distinct strings in order, and `ids` (S,) int32, the number of each serial."""

    strings: Strings
    ids: NDArray[np.int32]


class Interner(Protocol):
    """Take strings in chunks; give serials at once, and numbers at the end."""

    def add(self, strings: Sequence[str]) -> NDArray[np.int32]:
        """Return a serial (N,) for each string; equal strings of a chunk have the same."""
        ...


class MemoryInterner:
    """Number strings in a dictionary; a serial is the number."""

    def __init__(self) -> None:
        """Start without strings."""
        self._numbers: dict[str, int] = {}

    def add(self, strings: Sequence[str]) -> NDArray[np.int32]:
        """Return the number (N,) of each string."""
        numbers = self._numbers
        known = [numbers.setdefault(text, len(numbers)) for text in strings]
        return np.array(known, dtype=np.int32)

    def finish(self) -> Numbered:
        """Return the strings; each serial is its number."""
        return Numbered(MemoryStrings(self._numbers), np.arange(len(self._numbers), dtype=np.int32))


class DiskInterner:
    """Number strings through files in `folder`, which must exist and is the caller's to remove."""

    def __init__(self, folder: Path, *, partitions: int = _PARTITIONS) -> None:
        """Start without strings; a partition's file is made with its first."""
        self._folder = folder
        self._parts: list[list[str]] = [[] for _ in range(partitions)]
        self._used: set[int] = set()
        self._serials = 0

    def add(self, strings: Sequence[str]) -> NDArray[np.int32]:
        """Return a serial (N,) for each string, and put the chunk's distinct ones on disk."""
        first = self._serials
        serials = {text: n for n, text in enumerate(dict.fromkeys(strings), start=first)}
        self._serials += len(serials)
        if self._serials > np.iinfo(np.int32).max:
            raise OverflowError("more strings than 32-bit numbers; build the graph in parts")
        parts = self._parts
        # In one process equal strings have equal hashes, which is all it takes.
        for text in serials:
            parts[hash(text) % len(parts)].append(text)
        for number, part in enumerate(parts):
            if part:
                known = np.array([serials[text] for text in part], dtype=np.int32)
                # Not kept open: a chunk is large, and nothing is left to close when all fails.
                with (self._folder / f"{number}.strings").open("ab") as file:
                    _write(file, part, known)
                self._used.add(number)
                part.clear()
        found = map(serials.__getitem__, strings)
        return np.fromiter(found, dtype=np.int32, count=len(strings))

    def finish(self) -> DiskNumbers:
        """Number the distinct strings."""
        leaders = np.empty(self._serials, dtype=np.int32)
        parts = sorted(self._used)
        size = sum([self._reduce(part, leaders) for part in parts])
        is_leader = leaders == np.arange(self._serials, dtype=np.int32)
        numbers = np.cumsum(is_leader, dtype=np.int32) - np.int32(1)
        return DiskNumbers(self._folder, ids=numbers[leaders], size=size, parts=parts)

    def _reduce(self, part: int, leaders: NDArray[np.int32]) -> int:
        """Fill in the leaders of a partition's serials; rewrite it without repetitions.

        Returns the bytes of its distinct strings.
        """
        first: dict[bytes, int] = {}
        source = self._folder / f"{part}.strings"
        for strings, serials in _pieces(source):
            leaders[serials] = list(map(first.setdefault, strings, serials.tolist()))
        source.unlink()
        with (self._folder / f"{part}.distinct").open("wb") as file:
            _write(file, list(first), np.fromiter(first.values(), np.int32, len(first)))
        return sum(map(len, first))


class DiskNumbers:
    """Hold distinct strings on disk until they are laid out; `ids` (S,) is each serial's number."""

    def __init__(
        self, folder: Path, *, ids: NDArray[np.int32], size: int, parts: Sequence[int]
    ) -> None:
        """Take what `DiskInterner.finish` found; `size` is in bytes."""
        self.ids = ids
        self.size = size
        self.count = int(ids.max()) + 1 if len(ids) else 0
        self._folder = folder
        self._parts = parts

    def lay_out(self, arrays: Heap) -> None:
        """Fill `arrays`, made with the shapes of `heap_shapes(self.count, self.size)`."""
        lengths = np.zeros(self.count, dtype=np.int64)
        for strings, numbers in self._distinct():
            lengths[numbers] = list(map(len, strings))
        arrays.offsets[0] = 0
        np.cumsum(lengths, out=arrays.offsets[1:])
        hashes = np.empty(self.count, dtype=np.uint64)
        heap = arrays.heap.data
        for strings, numbers in self._distinct():
            hashes[numbers] = np.fromiter(
                map(xxhash.xxh3_64_intdigest, strings), np.uint64, len(strings)
            )
            for start, text in zip(arrays.offsets[numbers].tolist(), strings, strict=True):
                heap[start : start + len(text)] = text
        fill_slots(arrays, hashes)

    def _distinct(self) -> Iterator[tuple[list[bytes], NDArray[np.int32]]]:
        for part in self._parts:
            for strings, leaders in _pieces(self._folder / f"{part}.distinct"):
                yield strings, self.ids[leaders]


def heap_shapes(count: int, size: int) -> dict[str, tuple[tuple[int], str]]:
    """Return shape and dtype of each array of a `Heap` for `count` strings of `size` bytes."""
    return {
        "heap": ((size,), "|u1"),
        "offsets": ((count + 1,), "<i8"),
        "slots": ((slot_count(count) + 1,), "<i4"),
        "numbers": ((count,), "<i4"),
    }


def fill_slots(arrays: Heap, hashes: NDArray[np.uint64]) -> None:
    """Fill `slots` and `numbers` of a heap whose strings have these hashes (N,)."""
    slots = len(arrays.slots) - 1
    slot = (hashes >> np.uint64(slot_shift(slots))).astype(np.int64)
    arrays.numbers[:] = np.argsort(slot, kind="stable")
    arrays.slots[0] = 0
    np.cumsum(np.bincount(slot, minlength=slots), out=arrays.slots[1:])


def _write(
    file: BinaryIO, strings: Sequence[str] | Sequence[bytes], serials: NDArray[np.int32]
) -> None:
    """Append a piece: its sizes, the serials, and the strings with a NUL between two."""
    texts = [text if isinstance(text, bytes) else text.encode() for text in strings]
    blob = b"\0".join(texts)  # no string of a graph holds a NUL
    file.write(np.array([len(serials), len(blob)], dtype=np.int64).tobytes())
    file.write(serials.tobytes())
    file.write(blob)


def _pieces(path: Path) -> Iterator[tuple[list[bytes], NDArray[np.int32]]]:
    """Yield strings and serials of each piece of a file."""
    with path.open("rb") as file:
        while header := file.read(16):
            count, size = np.frombuffer(header, dtype=np.int64).tolist()
            serials = np.frombuffer(file.read(4 * count), dtype=np.int32)
            yield file.read(size).split(b"\0"), serials
