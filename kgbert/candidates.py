"""Which entities may stand in one place of a triple so that it becomes false, and the n-th of them.

For each triple there is a list of candidates (all entities, or those of a type), some of which are
excluded: they make a known triple, or are what stands there already. Nothing is listed for a triple
but the excluded ones: with these ascending, the n-th of the others is found by binary search. So a
draw costs the same however few remain, and never has to be repeated.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.filters import FilterIndex

Side = Literal["head", "tail"]


class Pools(NamedTuple):
    """The candidates of each relation: `values[offsets[r] : offsets[r + 1]]`, ascending."""

    offsets: NDArray[np.int64]  # (R + 1,)
    values: NDArray[np.int64]

    @classmethod
    def of(cls, triples: NDArray[np.int64], *, side: Side, entities: int, relations: int) -> Pools:
        """Take what stands on `side` of each relation's triples (n, 3)."""
        keys = np.unique(triples[:, 1] * entities + triples[:, _column(side)])
        offsets = np.searchsorted(keys, np.arange(relations + 1) * entities)
        return cls(offsets.astype(np.int64), keys % max(entities, 1))


class Candidates:
    """Answer for each of n triples what may stand on one side of it instead."""

    def __init__(
        self,
        triples: NDArray[np.int64],
        *,
        side: Side,
        entities: int,
        known: FilterIndex | None,
        pools: Pools | None = None,
    ) -> None:
        """Look the known answers of `triples` (n, 3) up; without `pools` all entities are tried."""
        self._pools = pools
        self._entities = entities
        given = triples[:, 1] * (entities + 1) + triples[:, 2 - _column(side)]
        _, first, self._query = np.unique(given, return_index=True, return_inverse=True)
        queries = triples[first]
        if known is None:
            offsets = np.zeros(len(queries) + 1, dtype=np.int64)
            places = np.empty(0, dtype=np.int64)
        else:
            offsets, values = known.lookup_many(queries.T, missing=side)
            owner = np.repeat(np.arange(len(queries)), np.diff(offsets))
            places, inside = self._places(queries[owner, 1], values.astype(np.int64))
            offsets = np.append(0, np.cumsum(np.bincount(owner[inside], minlength=len(queries))))
            places = places[inside]
        self._starts, self._stops = offsets[:-1][self._query], offsets[1:][self._query]
        # How many candidates that are not excluded stand before each excluded one.
        self._before = places - (np.arange(len(places)) - np.repeat(offsets[:-1], np.diff(offsets)))
        self._relations = triples[:, 1]
        own, _ = self._places(triples[:, 1], triples[:, _column(side)])
        self._own = self._rank(np.arange(len(triples)), own, places=places)
        sizes = self._sizes(triples[:, 1])
        self.counts: NDArray[np.int64] = sizes - (self._stops - self._starts) - (self._own >= 0)

    def nth(self, rows: NDArray[np.integer], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return entity `numbers[i]`, from 0 to below `counts[rows[i]]`, for triple `rows[i]`."""
        own = self._own[rows]
        numbers = numbers + ((own >= 0) & (numbers >= own))
        passed = _bisected(
            self._before, numbers, starts=self._starts[rows], stops=self._stops[rows]
        )
        places: NDArray[np.int64] = numbers + passed
        if self._pools is None:
            return places
        chosen: NDArray[np.int64] = self._pools.values[
            self._pools.offsets[self._relations[rows]] + places
        ]
        return chosen

    def _sizes(self, relations: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._pools is None:
            return np.full(len(relations), self._entities, dtype=np.int64)
        return np.diff(self._pools.offsets)[relations]

    def _places(
        self, relations: NDArray[np.int64], values: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return where entities stand among the candidates of relations, and whether they do."""
        if self._pools is None:
            return values, np.ones(len(values), dtype=np.bool_)
        starts, stops = self._pools.offsets[relations], self._pools.offsets[relations + 1]
        lower = _bisected(self._pools.values, values - 1, starts=starts, stops=stops)
        inside = starts + lower < stops
        inside[inside] = self._pools.values[(starts + lower)[inside]] == values[inside]
        return lower, inside

    def _rank(
        self, rows: NDArray[np.int64], own: NDArray[np.int64], *, places: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the number of each triple's own entity among the others; -1 if it is excluded."""
        starts, stops = self._starts[rows], self._stops[rows]
        lower = _bisected(places, own - 1, starts=starts, stops=stops)
        excluded = starts + lower < stops
        excluded[excluded] = places[(starts + lower)[excluded]] == own[excluded]
        return np.where(excluded, -1, own - lower)


def _column(side: Side) -> int:
    return 0 if side == "head" else 2


def _bisected(
    values: NDArray[np.int64],
    wanted: NDArray[np.int64],
    *,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count for each i the `values[starts[i] : stops[i]]`, ascending, that are at most `wanted[i]`.

    All searches go on together, each step for those that are not done.
    """
    low, high = starts.copy(), stops.copy()
    open_ = np.flatnonzero(low < high)
    while len(open_):
        bottom, top = low[open_], high[open_]
        middle = (bottom + top) >> 1
        passed = values[middle] <= wanted[open_]
        bottom, top = np.where(passed, middle + 1, bottom), np.where(passed, top, middle)
        low[open_], high[open_] = bottom, top
        open_ = open_[bottom < top]
    return low - starts
