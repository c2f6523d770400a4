"""The queries of an evaluation: which questions test triples ask, each question once.

A test triple asks for its head and for its tail. Triples that ask the same thing, such as all
(h, r, ?) of one h and r, share a query, whose candidates are scored once for all of them. Known
triples are left out of the candidates (filtered ranking, Bordes et al. 2013, section 4.2), but for
the answer that a rank is of. Shapes: N rows (a test triple and a side), Q queries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kbert.errors import SettingsError
from kgbert.groups import SIDES, Side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex

_COLUMN = {"head": 0, "tail": 2}
_CHUNK = 1 << 16


class Query(NamedTuple):
    """One question: the rows that ask it, and the wrong candidates that all of them share."""

    rows: NDArray[np.int64]  # (K,), places among the N rows
    candidates: NDArray[np.int32]  # (M,), entities that are neither known nor an answer
    column: int  # of the part that is asked for


@dataclass(frozen=True, eq=False)
class Queries:
    """Hold N rows, and the Q queries that they ask; made by `plan`.

    `places` says which triple of the part a row is of, `sides` which part of it is asked for, by
    its place in `kgbert.groups.SIDES`, `others` how many wrong candidates it has. Query q is asked
    by the rows `members[offsets[q] : offsets[q + 1]]`.
    """

    triples: NDArray[np.int32]  # (N, 3)
    sides: NDArray[np.int8]  # (N,)
    places: NDArray[np.int64]  # (N,)
    others: NDArray[np.int64]  # (N,)
    offsets: NDArray[np.int64]  # (Q + 1,)
    members: NDArray[np.int64]  # (N,)

    @classmethod
    def plan(
        cls,
        triples: NDArray[np.integer],
        *,
        sides: Collection[Side],
        known: FilterIndex,
        entities: int,
    ) -> Queries:
        """Find the queries of `triples` (n, 3), in order of relations.

        Those for heads and those for tails of one relation take turns in even shares: some triple
        is a candidate of both, and is scored once where they are asked together.

        Raises `SettingsError` if there are no triples, or `sides` names none, or other ones.
        """
        if isinstance(sides, str) or not sides or any(side not in SIDES for side in sides):
            raise SettingsError(f"sides is {sides!r}; name some of {', '.join(SIDES)}")
        if not len(triples):
            raise SettingsError("there are no triples to rank")
        numbers, kinds, others, keys = [], [], [], []
        count = 0
        for kind, side in enumerate(SIDES):
            if side in sides:
                given = np.delete(triples, _COLUMN[side], axis=1)
                distinct, number = np.unique(given, axis=0, return_inverse=True)
                numbers.append(number.reshape(-1) + count)
                kinds.append(np.full(len(triples), kind, dtype=np.int8))
                others.append(_others(triples, side=side, known=known, entities=entities))
                keys.append(_turns(distinct[:, kind]))
                count += len(distinct)
        turn = np.empty(count, dtype=np.int64)
        turn[np.lexsort(np.concatenate(keys, axis=1))] = np.arange(count)
        number = turn[np.concatenate(numbers)]
        return cls(
            triples=np.concatenate([triples] * len(kinds)).astype(np.int32),
            sides=np.concatenate(kinds),
            places=np.tile(np.arange(len(triples)), len(kinds)),
            others=np.concatenate(others),
            offsets=np.append(0, np.cumsum(np.bincount(number, minlength=count))),
            members=np.argsort(number, kind="stable"),
        )

    def rows_of(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the rows that ask the queries `start` to `stop`, query by query."""
        return self.members[self.offsets[start] : self.offsets[stop]]

    def read(self, start: int, stop: int, *, known: FilterIndex, entities: int) -> Iterator[Query]:
        """Yield the queries `start` to `stop` with their candidates."""
        for number in range(start, stop):
            rows = self.rows_of(number, number + 1)
            side = SIDES[self.sides[rows[0]]]
            column = _COLUMN[side]
            wrong = ~known.mask(self.triples[rows[:1]].T, missing=side)[0]
            wrong[self.triples[rows, column]] = False
            yield Query(rows, np.flatnonzero(wrong).astype(np.int32), column)

    def __len__(self) -> int:
        """Return the number of queries, Q."""
        return len(self.offsets) - 1


def _turns(relations: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return keys (2, m) that sort queries by relation, the last key, and spread each evenly."""
    _, number, counts = np.unique(relations, return_inverse=True, return_counts=True)
    number = number.reshape(-1)
    before = np.empty(len(number))
    before[np.argsort(number, kind="stable")] = np.arange(len(number))
    before -= (np.cumsum(counts) - counts)[number]
    return np.stack([(before + 0.5) / counts[number], relations.astype(np.float64)])


def _others(
    triples: NDArray[np.integer], *, side: Side, known: FilterIndex, entities: int
) -> NDArray[np.int64]:
    """Count for each triple the entities that are neither known nor its own answer."""
    counts = [
        known.count_many(triples[first : first + _CHUNK].T, missing=side)
        for first in range(0, len(triples), _CHUNK)
    ]
    return entities - np.concatenate(counts) - ~known.contains(triples.T)
