"""Several sequences in one row, so that a batch is text rather than padding.

Attention keeps the sequences of a row apart by their `document` number (`kbert.nn.visibility`), so
a packed row computes what its sequences would compute alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_WINDOW: Final = 4096  # sequences that are packed together; random across windows


class Packing(NamedTuple):
    """The sequences of each row, and the share of the rows' slots that they fill, 0 to 1."""

    rows: tuple[tuple[int, ...], ...]
    max_length: int
    fill: float

    def batches(self, *, max_tokens: int) -> list[tuple[tuple[int, ...], ...]]:
        """Cut the rows into batches of at most `max_tokens` slots, but of at least one row."""
        count = max(1, max_tokens // self.max_length)
        return [self.rows[i : i + count] for i in range(0, len(self.rows), count)]


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
    rows: list[tuple[int, ...]] = []
    for start in range(0, len(order), window):
        part = order[start : start + window]
        rows += _best_fit(part[np.argsort(-sizes[part], kind="stable")], sizes, max_length)
    if seed is not None:
        rows = [rows[i] for i in draw.permutation(len(rows)).tolist()]
    fill = float(sizes.sum()) / (len(rows) * max_length) if rows else 1.0
    return Packing(tuple(rows), max_length, fill)


def layout(
    rows: Sequence[Sequence[int]], lengths: NDArray[np.integer], *, max_length: int
) -> Layout:
    """Lay out packed rows side by side, each sequence after the other, padding last."""
    result = Layout(*(np.empty((len(rows), max_length), dtype=np.int32) for _ in range(3)))
    for number, row in enumerate(rows):
        sizes = np.asarray(lengths)[list(row)]
        sizes = np.append(sizes, max_length - sizes.sum())
        begins = np.cumsum(sizes) - sizes
        result.document[number] = np.repeat(np.arange(len(sizes)), sizes)
        result.positions[number] = np.arange(max_length) - np.repeat(begins, sizes)
        result.example[number] = np.repeat([*row, -1], sizes)
    return result


def _best_fit(
    order: NDArray[np.int64], sizes: NDArray[np.int64], capacity: int
) -> list[tuple[int, ...]]:
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
    return [tuple(row) for row in rows]
