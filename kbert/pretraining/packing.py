"""Several sequences in one row, so that a batch is text rather than padding.

Attention keeps the sequences of a row apart by their `document` number (`kbert.nn.visibility`), so
a packed row computes what its sequences would compute alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

_WINDOW: Final = 4096  # sequences that are packed together; random across windows

Numbers = NDArray[np.int64]
_NONE: Final[Numbers] = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Rows(Sequence[tuple[int, ...]]):
    """The sequences of each row: those of row r are `numbers[edges[r]:edges[r + 1]]`.

    The first row begins at 0, and the last ends with `numbers`.
    Arrays, since an epoch may have millions of sequences, and every data worker plans it.
    """

    numbers: Numbers
    edges: Numbers

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Rows:
        """Lay rows end to end."""
        if isinstance(rows, Rows):
            return rows
        numbers = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
        return cls(numbers, _edges(np.fromiter(map(len, rows), dtype=np.int64)))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.edges) - 1

    @overload
    def __getitem__(self, index: int) -> tuple[int, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> tuple[int, ...] | Rows:
        """Return row `index`, or the rows of a slice without gaps."""
        if isinstance(index, slice):
            begin, end, step = index.indices(len(self))
            if step != 1:
                raise ValueError(f"rows are cut one after the other, not in steps of {step}")
            edges = self.edges[begin : max(begin, end) + 1]
            return Rows(self.numbers[edges[0] : edges[-1]], edges - edges[0])
        row = range(len(self))[index]
        return tuple(self.numbers[self.edges[row] : self.edges[row + 1]].tolist())

    def reordered(self, order: Numbers) -> Rows:
        """Return the rows whose numbers `order` gives."""
        counts = np.diff(self.edges)[order]
        edges = _edges(counts)
        shifts = np.repeat(self.edges[:-1][order] - edges[:-1], counts)
        return Rows(self.numbers[shifts + np.arange(len(shifts))], edges)


@dataclass(frozen=True, eq=False)
class Batches(Sequence[Rows]):
    """The rows of each batch: those of batch b are `rows[cuts[b]:cuts[b + 1]]`."""

    rows: Rows
    cuts: Numbers

    @classmethod
    def alone(cls, plan: Sequence[Sequence[int]]) -> Batches:
        """Give each sequence of a plan of batches a row of its own."""
        batches = Rows.of(plan)
        count = len(batches.numbers)
        return cls(Rows(batches.numbers, np.arange(count + 1)), batches.edges)

    def __len__(self) -> int:
        """Count the batches."""
        return len(self.cuts) - 1

    @overload
    def __getitem__(self, index: int) -> Rows: ...
    @overload
    def __getitem__(self, index: slice) -> list[Rows]: ...
    def __getitem__(self, index: int | slice) -> Rows | list[Rows]:
        """Return the rows of batch `index`."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        batch = range(len(self))[index]
        return self.rows[self.cuts[batch] : self.cuts[batch + 1]]


class Packing(NamedTuple):
    """The sequences of each row, and the share of the rows' slots that they fill, 0 to 1."""

    rows: Rows
    max_length: int
    fill: float

    def batches(self, *, max_tokens: int, full: bool = False) -> Batches:
        """Cut the rows into batches of at most `max_tokens` slots, but of at least one row.

        With `full` the last batch has as many rows as the others, some of them empty.
        """
        count, rows = max(1, max_tokens // self.max_length), self.rows
        if full:
            end = rows.edges[-1:].repeat(-len(rows) % count)
            rows = Rows(rows.numbers, np.concatenate([rows.edges, end]))
        begins = np.arange(0, len(rows), count, dtype=np.int64)
        return Batches(rows, np.append(begins, len(rows)))


class Layout(NamedTuple):
    """Where the tokens of packed rows are (R, L): all int32.

    `document` is the number of a token's sequence within its row; padding's is one more than the
    last. `positions` count from 0 in each sequence, and in the padding. `example` is the number of
    the sequence, -1 in the padding.
    """

    document: NDArray[np.int32]
    positions: NDArray[np.int32]
    example: NDArray[np.int32]


def pack(
    lengths: Sequence[int] | NDArray[np.integer], *, max_length: int, seed: int | None
) -> Packing:
    """Put sequences into rows of `max_length` tokens, each into the fullest row it fits.

    With a seed the sequences are shuffled, packed in windows of some thousand, longest first, and
    the rows shuffled; with None they are one window, and the rows stay in the order they were
    begun. The plan is a function of the arguments alone. Best fit decreasing needs at most 11/9
    of the fewest possible rows, and one (Johnson 1974).

    Raises:
        ValueError: a sequence is empty or longer than a row.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if len(sizes) and not 0 < sizes.min() <= sizes.max() <= max_length:
        raise ValueError(
            f"sequences of {sizes.min()} to {sizes.max()} tokens; rows of {max_length}"
        )
    order, window = np.arange(len(sizes)), max(1, len(sizes))
    draw = np.random.default_rng(0 if seed is None else seed)
    if seed is not None:
        draw.shuffle(order)
        window = _WINDOW
    found = []
    for start in range(0, len(order), window):
        part = order[start : start + window]
        part = part[np.argsort(-sizes[part], kind="stable")]
        found.append(Rows.of(_best_fit(part, sizes, max_length)))
    counts = np.concatenate([_NONE, *(np.diff(part.edges) for part in found)])
    rows = Rows(np.concatenate([_NONE, *(part.numbers for part in found)]), _edges(counts))
    if seed is not None:
        rows = rows.reordered(draw.permutation(len(rows)))
    fill = float(sizes.sum()) / (len(rows) * max_length) if len(rows) else 1.0
    return Packing(rows, max_length, fill)


def layout(
    rows: Sequence[Sequence[int]], lengths: NDArray[np.integer], *, max_length: int
) -> Layout:
    """Lay out packed rows side by side, each sequence after the other, padding last."""
    found = Rows.of(rows)
    counts, ends = np.diff(found.edges), found.edges[1:]
    sizes = np.asarray(lengths, dtype=np.int64)[found.numbers]
    room = max_length - np.diff(_edges(sizes)[found.edges])
    # The padding is one more sequence, the last of its row.
    all_sizes = np.insert(sizes, ends, room)
    document = np.arange(len(sizes)) - np.repeat(found.edges[:-1], counts)
    columns = np.arange(len(counts) * max_length)
    return Layout(
        *(
            values.astype(np.int32).reshape(len(counts), max_length)
            for values in (
                np.repeat(np.insert(document, ends, counts), all_sizes),
                columns - np.repeat(np.cumsum(all_sizes) - all_sizes, all_sizes),
                np.repeat(np.insert(found.numbers, ends, -1), all_sizes),
            )
        )
    )


def _best_fit(order: NDArray[np.int64], sizes: NDArray[np.int64], capacity: int) -> list[list[int]]:
    """Put each sequence, in order, into the open row with the least room that is enough."""
    rows: list[list[int]] = []
    open_rows: list[list[int]] = [[] for _ in range(capacity + 1)]  # by the room that is left
    rooms = 0  # bit r is set where a row with room r is open, so the search is one shift
    for number, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        enough = rooms >> size
        if enough:
            room = size + (enough & -enough).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                rooms ^= 1 << room
        else:
            room, row = capacity, len(rows)
            rows.append([])
        rows[row].append(number)
        open_rows[room - size].append(row)
        rooms |= 1 << (room - size)
    return rows


def _edges(counts: Numbers) -> Numbers:
    """Return where each of some runs begins, and where the last one ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])
