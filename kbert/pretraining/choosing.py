"""Which tokens of a sequence are masked: exactly k, by pieces, whole units, or spans of units.

Each function returns, for every token of a batch (B, L), the column where its masked span begins,
or -1 if it is not masked. Rows are worked on together and drawn for apart: what a row gets is a
function of its own groups, k and key.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kbert.pretraining.lengths import SpanLengths
from kbert.pretraining.streams import below, words

Ints = NDArray[np.int32]
Keys = NDArray[np.uint64]

LONGEST: Final = 1 << 16  # tokens a row may have: a column fits the low bits of an order
_COLUMN: Final = np.uint64(LONGEST - 1)
_NEVER: Final = np.uint64((1 << 64) - 1)


class _Units(NamedTuple):
    """The units of each row (B, M): short rows end in units without tokens, which are not open."""

    of: Ints  # (B, L): the unit of each token
    sizes: Ints  # (B, M): tokens
    edges: Ints  # (B, M + 1): first columns, and the row's end
    open: NDArray[np.bool_]  # (B, M): may be masked


def choose_pieces(groups: Ints, counts: Ints, key: Keys) -> Ints:
    """Choose `counts` (B,) tokens of each row, every set with the same chance; spans of one."""
    columns = np.arange(groups.shape[1])
    order = _order(groups >= 0, columns, key)
    ranked = np.sort(order, axis=1)
    last = np.take_along_axis(ranked, np.maximum(counts - 1, 0)[:, None], axis=1)
    chosen = (order <= last) & (counts > 0)[:, None]
    return np.where(chosen, columns.astype(np.int32), np.int32(-1))


def choose_units(groups: Ints, counts: Ints, key: Keys, *, cut: bool) -> Ints:
    """Choose whole units in random order until `counts` (B,) tokens are masked in each row.

    A unit with more tokens than are still wanted is passed over. If in the end none fits, the
    first that was passed over gives its first tokens, so that the count is met; without `cut` it
    is then missed, as in Google's code. If all units are single tokens, the choice is that of
    `choose_pieces`.
    """
    units = _units(groups)
    rows = np.arange(len(groups))
    ranking = np.argsort(_order(units.open, units.edges[:, :-1], key), axis=1)
    sizes = units.sizes * units.open
    taken = np.zeros(units.sizes.shape, dtype=np.int32)  # tokens of each unit
    wanted = counts.astype(np.int32)
    passed = np.full(len(groups), -1)
    for unit in ranking.T:
        size = sizes[rows, unit]
        fits = size <= wanted
        taken[rows[fits], unit[fits]] = size[fits]
        wanted -= np.where(fits, size, 0)
        passed = np.where((passed < 0) & ~fits, unit, passed)
        if not wanted.any():
            break
    if cut:
        short = np.flatnonzero(wanted)
        taken[short, passed[short]] = wanted[short]
    first = np.take_along_axis(units.edges, units.of, axis=1)
    chosen = np.arange(groups.shape[1]) - first < np.take_along_axis(taken, units.of, axis=1)
    return np.where(chosen, first, np.int32(-1))


def choose_spans(groups: Ints, counts: Ints, key: Keys, *, lengths: SpanLengths) -> Ints:
    """Choose spans of units until `counts` (B,) tokens are masked in each row.

    A length is drawn first, then a place, each place where so many units are free with the same
    chance; if there is none, the length becomes the longest that is free. The last span is cut to
    the tokens still wanted, within a unit if need be. Spans do not touch, so that the tokens
    beside a span are seen; only a row too crowded for that lets them.
    """
    units = _units(groups)
    starts = np.full(groups.shape, -1, dtype=np.int32)
    wanted, rows, turn = counts.astype(np.int32), np.flatnonzero(counts), 0
    free = _free(~units.open)[rows]  # of the rows that still want tokens, in their order
    while len(rows):
        longest = free.max(axis=1)
        if not longest.all():
            crowded = longest == 0
            free[crowded] = _free(_taken(units, starts, rows[crowded]))
            longest = free.max(axis=1)
        span = np.minimum(lengths.draw(words(key[rows], np.array([2 * turn]))), longest)
        first = _drawn_place(free >= span[:, None], words(key[rows], np.array([2 * turn + 1])))
        begin, end = units.edges[rows, first], units.edges[rows, first + span]
        end = np.minimum(end, begin + wanted[rows])
        _mark(starts, rows, begin, end)
        wanted[rows] -= end - begin
        going = wanted[rows] > 0
        _close(free, first - 1, first + span)
        free, rows, turn = free[going], rows[going], turn + 1
    return starts


def _drawn_place(open_: NDArray[np.bool_], word: Keys) -> NDArray[np.int64]:
    """Draw one of the open places (R, M) of each row, all with the same chance."""
    sizes = np.count_nonzero(open_, axis=1)
    all_places = np.flatnonzero(open_)
    nth = np.cumsum(sizes) - sizes + below(word, sizes)
    drawn: NDArray[np.int64] = all_places[nth] - np.arange(len(open_)) * open_.shape[1]
    return drawn


def _mark(starts: Ints, rows: NDArray[np.int64], begin: Ints, end: Ints) -> None:
    """Write into `starts` (B, L) the span from `begin` to `end` - 1 (R,) of each of `rows`."""
    sizes = end - begin
    first = np.repeat(rows * starts.shape[1] + begin - (np.cumsum(sizes) - sizes), sizes)
    starts.reshape(-1)[first + np.arange(len(first))] = np.repeat(begin, sizes)


def _taken(units: _Units, starts: Ints, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which units of `rows` are masked or may not be."""
    columns = np.minimum(units.edges[rows, :-1], starts.shape[1] - 1)
    taken: NDArray[np.bool_] = np.take_along_axis(starts[rows], columns, axis=1) >= 0
    return taken | ~units.open[rows]


def _close(free: Ints, first: NDArray[np.int64], last: NDArray[np.int64]) -> None:
    """Block the units from `first` to `last` (R,) in what `_free` counted (R, M)."""
    places = np.arange(free.shape[1], dtype=np.int32)
    before = np.maximum(first.astype(np.int32)[:, None] - places, np.int32(0))
    behind = places > last.astype(np.int32)[:, None]
    np.minimum(free, before, out=free, where=~behind)


def _order(open_: NDArray[np.bool_], columns: NDArray[np.integer], key: Keys) -> Keys:
    """Return random numbers, no two of a row alike, by the column: the largest where not open."""
    order = (words(key[:, None], columns) & ~_COLUMN) | columns.astype(np.uint64)
    order[~open_] = _NEVER
    return order


def _units(groups: Ints) -> _Units:
    """Number the units of each row; a run of special tokens is one, and so is the padding."""
    height, length = groups.shape
    begins = np.ones(groups.shape, dtype=np.bool_)
    begins[:, 1:] = groups[:, 1:] != groups[:, :-1]
    of = np.cumsum(begins, axis=1, dtype=np.int32) - np.int32(1)
    most = int(of.max(initial=0)) + 1
    edges = np.full((height, most + 1), length, dtype=np.int32)
    rows, columns = np.nonzero(begins)
    edges[rows, of[rows, columns]] = columns
    open_ = np.zeros((height, most), dtype=np.bool_)
    open_[rows, of[rows, columns]] = groups[rows, columns] >= 0
    return _Units(of, np.diff(edges, axis=1), edges, open_)


def _free(blocked: NDArray[np.bool_]) -> Ints:
    """Count the units from each on, itself included, up to the next that is blocked (B, M)."""
    most = blocked.shape[1]
    places = np.arange(most, dtype=np.int32)
    stops = np.where(blocked, places, np.int32(most))
    following = np.minimum.accumulate(stops[:, ::-1], axis=1)[:, ::-1]
    return following - places
