"""Find relations that say the same thing twice: symmetric, inverse and duplicate ones.

The definition is that of Akrami et al. 2020 (Realistic Re-evaluation of Knowledge Graph Completion
Methods: An Experimental Study): with T(r) the pairs (head, tail) of relation r, two relations are
duplicates where more than a threshold (0.8) of T(r), and of T(s), is in the other; inverses where
the same holds of T(r) and the pairs of T(s) turned round; and a relation that is its own inverse is
symmetric. Pairs are those of all parts of a benchmark, since a random division puts the two halves
of an inverse pair into different parts. For inverses, pairs of an entity with itself do not count:
that they equal their reverse says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.filters import FilterIndex

Kind = Literal["symmetric", "inverse", "duplicate"]

THRESHOLD = 0.8
MAX_RELATIONS_OF_A_PAIR = 256
_CHUNK = 1 << 16


class RelationPair(NamedTuple):
    """Name two relations by number, `first` ≤ `second`, that share more than a threshold.

    `shared` counts the entity pairs that both have; the shares are its part of each one's pairs.
    """

    kind: Kind
    first: int
    second: int
    shared: int
    share_of_first: float
    share_of_second: float


class Companions(NamedTuple):
    """Say that between the entities of triple number `places[i]` relation `others[i]` holds too."""

    places: NDArray[np.int64]
    others: NDArray[np.int32]


def companions(
    rows: NDArray[np.int32], *, index: FilterIndex, backward: bool
) -> Iterator[Companions]:
    """Yield, in chunks, which known relations lead from head to tail of each of `rows` (3, N).

    With `backward` they are those from tail to head, and rows with the same entity in both places
    are left out. So are rows whose entities are joined by more than 256 relations, since there the
    entries, and with them the time, would grow with the square.
    """
    queries = rows[::-1] if backward else rows
    counts = index.count_many(queries, missing="relation")
    wanted = (counts > 0) & (counts <= MAX_RELATIONS_OF_A_PAIR)
    places = np.flatnonzero(wanted & (rows[0] != rows[2]) if backward else wanted)
    for start in range(0, len(places), _CHUNK):
        chunk = places[start : start + _CHUNK]
        offsets, others = index.lookup_many(queries[:, chunk], missing="relation")
        yield Companions(np.repeat(chunk, np.diff(offsets)), others)


def relation_pairs(
    index: FilterIndex, *, relations: int, threshold: float = THRESHOLD
) -> list[RelationPair]:
    """Return the pairs among `relations` relations that share more than `threshold`, largest first.

    What entities share that are joined by more than 256 relations does not count.
    """
    rows = index.rows
    sizes = {
        False: np.bincount(rows[1], minlength=relations),
        True: np.bincount(rows[1, rows[0] != rows[2]], minlength=relations),
    }
    found = []
    for backward, counts in sizes.items():
        shared = _shared(index, relations=relations, backward=backward)
        for (first, second), number in shared.items():
            shares = number / counts.item(first), number / counts.item(second)
            if min(shares) > threshold:
                kind: Kind = "inverse" if backward else "duplicate"
                found.append(
                    RelationPair(
                        "symmetric" if first == second else kind, first, second, number, *shares
                    )
                )
    return sorted(found, key=lambda pair: (-pair.shared, pair))


def _shared(index: FilterIndex, *, relations: int, backward: bool) -> Counter[tuple[int, int]]:
    """Count the entity pairs that two relations have in common, first ≤ second."""
    shared: Counter[tuple[int, int]] = Counter()
    for places, others in companions(index.rows, index=index, backward=backward):
        own = index.rows[1, places].astype(np.int64)
        # Two relations are met from both sides; forwards, each relation also meets itself.
        keep = own <= others if backward else own < others
        codes, counts = np.unique(own[keep] * relations + others[keep], return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            shared[divmod(code, relations)] += count
    return shared
