"""Look up which triples are known to be true: what filtered ranking leaves out, and leakage finds.

For each part that a query can miss, a table holds the same distinct triples, grouped by the two
parts that are given (CSR): sorted keys, offsets, and the missing parts, ascending within a group.
It is made when it is first asked, holds no Python object for a triple, and answers many queries at
a time, by binary search.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.content import first_of_equals
from graphs.errors import GraphError, suggestion
from graphs.splits import PARTS, Splits

Missing = Literal["head", "relation", "tail"]

# Which rows of a (3, N) array are given, and last the one that is missing.
_ORDERS: dict[Missing, tuple[int, int, int]] = {
    "head": (1, 2, 0),
    "relation": (0, 2, 1),
    "tail": (0, 1, 2),
}


class Known(NamedTuple):
    """Answers to Q queries: those to query q are `values[offsets[q]:offsets[q + 1]]`, ascending."""

    offsets: NDArray[np.int64]  # (Q + 1,)
    values: NDArray[np.int32]


class FilterIndex:
    """Answer which heads, relations or tails make a known triple; all parts are numbers.

    A number that is out of range, such as -1 for an unknown entity, is part of no known triple.
    """

    def __init__(self, rows: NDArray[np.integer], *, entities: int, relations: int) -> None:
        """Index the triples `rows` (3, N: head, relation, tail), where equal ones count once.

        Raises `GraphError` where a number is not below `entities`, or `relations`, or is negative.
        """
        self._sizes = (entities, relations, entities)
        checked = _checked(rows, sizes=self._sizes)
        self._rows = checked[:, first_of_equals(checked)]
        self._rows.setflags(write=False)
        self._tables: dict[Missing, _Table] = {}

    @classmethod
    def build(cls, splits: Splits, *, parts: Collection[str] = PARTS) -> FilterIndex:
        """Index what `parts` of `splits` state as true; a triple labelled -1 never enters.

        A test is filtered by all three parts, the choice of a model by `("train", "dev")`.
        Raises `GraphError` for a part of another name.
        """
        if isinstance(parts, str):
            raise GraphError(f"parts is the text {parts!r}; give a list of {', '.join(PARTS)}")
        for part in parts:
            if part not in PARTS:
                known = ", ".join(PARTS)
                raise GraphError(
                    f"no part {part!r} of splits; known are {known}{suggestion(part, PARTS)}"
                )
        rows = [getattr(splits, part).positives for part in PARTS if part in parts]
        return cls(
            np.concatenate([np.empty((3, 0), dtype=np.int32), *rows], axis=1),
            entities=len(splits.entities),
            relations=len(splits.relations),
        )

    @property
    def rows(self) -> NDArray[np.int32]:
        """List the known triples (3, N), each once, in the order in which they were given."""
        return self._rows

    def heads(self, relation: int, tail: int) -> NDArray[np.int32]:
        """Return the known heads before `relation` and `tail`, ascending."""
        return self._one((0, relation, tail), missing="head")

    def relations(self, head: int, tail: int) -> NDArray[np.int32]:
        """Return the known relations from `head` to `tail`, ascending."""
        return self._one((head, 0, tail), missing="relation")

    def tails(self, head: int, relation: int) -> NDArray[np.int32]:
        """Return the known tails after `head` and `relation`, ascending."""
        return self._one((head, relation, 0), missing="tail")

    def count_many(self, rows: NDArray[np.integer], *, missing: Missing) -> NDArray[np.int64]:
        """Return how many answers each of `rows` (3, Q) has; `missing` is as in `lookup_many`."""
        starts, stops = self._table(missing).spans(_shaped(rows))
        return stops - starts

    def lookup_many(self, rows: NDArray[np.integer], *, missing: Missing) -> Known:
        """Return what completes each of `rows` (3, Q), whose row of the missing part is not read.

        Raises `GraphError` where `missing` names no part of a triple, or `rows` are no triples.
        """
        table = self._table(missing)
        starts, stops = table.spans(_shaped(rows))
        counts = stops - starts
        offsets = np.append(0, np.cumsum(counts))
        places = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, counts)
        return Known(offsets, table.values[places])

    def mask(self, rows: NDArray[np.integer], *, missing: Missing) -> NDArray[np.bool_]:
        """Say of each of `rows` (3, Q) and each of C candidates whether they make a known triple.

        The result is (Q, C), C all entities, or all relations; `missing` is as in `lookup_many`.
        """
        offsets, values = self.lookup_many(rows, missing=missing)
        shape = len(offsets) - 1, self._sizes[_ORDERS[missing][2]]
        mask = np.zeros(shape, dtype=np.bool_)
        mask[np.repeat(np.arange(shape[0]), np.diff(offsets)), values] = True
        return mask

    def contains(self, rows: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Say of each of `rows` (3, N) whether it is a known triple."""
        rows, table = _shaped(rows), self._table("tail")
        wanted = rows[2]
        low, stops = table.spans(rows)
        high = stops.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            below = open_.copy()
            below[open_] = table.values[middle[open_]] < wanted[open_]
            low, high = np.where(below, middle + 1, low), np.where(open_ & ~below, middle, high)
        found = low < stops
        found[found] = table.values[low[found]] == wanted[found]
        return found

    def __len__(self) -> int:
        """Return the number of known triples."""
        return int(self._rows.shape[1])

    def __repr__(self) -> str:
        """Show the sizes."""
        entities, relations, _ = self._sizes
        return f"FilterIndex({len(self)} triples, {entities} entities, {relations} relations)"

    def _one(self, query: tuple[int, int, int], *, missing: Missing) -> NDArray[np.int32]:
        table = self._table(missing)
        starts, stops = table.spans(np.array(query).reshape(3, 1))
        return table.values[starts.item() : stops.item()]

    def _table(self, missing: Missing) -> _Table:
        if missing not in _ORDERS:
            known = ", ".join(_ORDERS)
            raise GraphError(
                f"missing is {missing!r}; known are {known}{suggestion(missing, _ORDERS)}"
            )
        if missing not in self._tables:
            order = _ORDERS[missing]
            self._tables[missing] = _Table(self._rows, order=order, sizes=self._sizes)
        return self._tables[missing]


class _Table:
    """Group distinct triples by the first two parts of `order`."""

    def __init__(
        self, rows: NDArray[np.int32], *, order: tuple[int, int, int], sizes: tuple[int, int, int]
    ) -> None:
        self._given = order[:2]
        self._sizes = sizes[order[0]], sizes[order[1]]
        keys = self._keys(rows)
        by_key = np.lexsort((rows[order[2]], keys))
        keys = keys[by_key]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        self._unique = keys[starts]
        self._offsets = np.append(starts, len(keys)).astype(np.int64)
        self.values: NDArray[np.int32] = rows[order[2]][by_key]
        self.values.setflags(write=False)

    def spans(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the values of each query start and stop; nothing found is 0 and 0."""
        keys = self._keys(rows)
        places = np.searchsorted(self._unique, keys)
        found = places < len(self._unique)
        found[found] = self._unique[places[found]] == keys[found]
        starts, stops = np.zeros_like(keys), np.zeros_like(keys)
        starts[found] = self._offsets[places[found]]
        stops[found] = self._offsets[places[found] + 1]
        return starts, stops

    def _keys(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return one number for each pair, -1 if a part is out of range: it would alias another."""
        first, second = (rows[part].astype(np.int64) for part in self._given)
        inside = (first >= 0) & (first < self._sizes[0])
        inside &= (second >= 0) & (second < self._sizes[1])
        return np.where(inside, first * self._sizes[1] + second, -1)


def _shaped(rows: NDArray[np.integer]) -> NDArray[np.integer]:
    array = np.asarray(rows)
    if array.ndim != 2 or array.shape[0] != 3 or not np.issubdtype(array.dtype, np.integer):
        raise GraphError(
            f"rows are {array.dtype} of shape {array.shape}; "
            "give integers of shape (3, N): heads, relations, tails"
        )
    return array


def _checked(rows: NDArray[np.integer], *, sizes: tuple[int, int, int]) -> NDArray[np.int32]:
    """Return `rows` (3, N) as int32, all of its numbers in range, else raise GraphError."""
    array = _shaped(rows)
    for name, size, row in zip(("head", "relation", "tail"), sizes, array, strict=True):
        wrong = np.flatnonzero((row < 0) | (row >= size))
        if len(wrong):
            at = wrong.item(0)
            raise GraphError(f"triple {at}: {name} is {row.item(at)}; it must be 0 to {size - 1}")
    return array.astype(np.int32)
