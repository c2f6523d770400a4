"""Put triples in order on disk: without duplicates, by source, by head and by tail.

Sorting takes a few million triples at a time, those of a range of entities, so that memory is
bounded (but for an entity that has more triples than that by itself).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from graphs.content import Grouped, first_of_equals

ROWS_AT_ONCE = 1 << 21


def kept_rows(
    rows: NDArray[np.int32], *, count: int, at_once: int = ROWS_AT_ONCE
) -> NDArray[np.bool_]:
    """Return for each column of `rows` (3, N) whether it equals no earlier one, (N,).

    `count` is the number of entities.
    """
    kept = np.zeros(rows.shape[1], dtype=np.bool_)
    for columns, _ in _ranges(rows[0], count=count, at_once=at_once):
        kept[columns[first_of_equals(rows[:, columns])]] = True
    return kept


def copy_kept(rows: NDArray[np.int32], kept: NDArray[np.bool_], *, to: NDArray[np.int32]) -> None:
    """Copy the `kept` columns of `rows` (3, N) to `to` (3, M)."""
    done = 0
    for start in range(0, rows.shape[1], ROWS_AT_ONCE):
        part = rows[:, start : start + ROWS_AT_ONCE][:, kept[start : start + ROWS_AT_ONCE]]
        to[:, done : done + part.shape[1]] = part
        done += part.shape[1]


def fill_groups(
    ends: NDArray[np.int32],
    relations: NDArray[np.int32],
    others: NDArray[np.int32],
    *,
    to: Grouped,
    at_once: int = ROWS_AT_ONCE,
) -> None:
    """Group triples (N,) by `ends`, keeping their order, into the arrays of `to`."""
    count = len(to.offsets) - 1
    to.offsets[0] = 0
    np.cumsum(_counts(ends, count), out=to.offsets[1:])
    for columns, first in _ranges(ends, count=count, at_once=at_once):
        order = columns[np.argsort(ends[columns], kind="stable")]
        start = int(to.offsets[first])
        to.relations[start : start + len(order)] = relations[order]
        to.others[start : start + len(order)] = others[order]


def _ranges(
    ends: NDArray[np.int32], *, count: int, at_once: int
) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Yield, for ranges of entities that together have `at_once` triples, their columns.

    Columns ascend; beside them stands the first entity of the range.
    """
    before = np.concatenate([[0], np.cumsum(_counts(ends, count))])
    first = 0
    while first < count:
        # At least one entity, however many triples it has.
        last = int(np.searchsorted(before, before[first] + at_once, side="right")) - 1
        last = min(max(last, first + 1), count)
        if first == 0 and last == count:
            yield np.arange(len(ends)), 0
        else:
            yield np.flatnonzero((ends >= first) & (ends < last)), first
        first = last


def _counts(ends: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Count the triples of each entity, without a copy of `ends` in 64 bits."""
    counts = np.zeros(count, dtype=np.int64)
    for start in range(0, len(ends), ROWS_AT_ONCE):
        counts += np.bincount(ends[start : start + ROWS_AT_ONCE], minlength=count)
    return counts
