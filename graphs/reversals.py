"""Find which relations are reversed by which: symmetric ones, and inverses of each other.

Two triples between the same two entities, one in each direction, are each other's reverse. All of
it is sorting of the store's number arrays. Loops, whose head is their tail, are left out: that they
are their own reverse says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.store import TripleStore

MAX_RELATIONS_OF_A_PAIR = 32
_CHUNK = 1 << 20


class Reversals(NamedTuple):
    """Count reversed triples by relation; each array is (R,) int64 for R relations.

    `symmetric` is how many triples (h, r, t) have their reverse (t, r, h) in the graph; `inverse`
    the number of the other relation s with most of the reverses (t, s, h), the earlier of equals,
    or -1 for none; `reversed` how many that one has.
    """

    symmetric: NDArray[np.int64]
    inverse: NDArray[np.int64]
    reversed: NDArray[np.int64]


def reversals(store: TripleStore) -> Reversals:
    """Count for each relation the triples whose reverse is in the graph.

    In the search for inverses, two entities that more than 32 relations join in one direction are
    left out, which bounds its time and makes `reversed` too small there, never too large.
    """
    pairs = _pairs(store)
    count = len(store.relations)
    return Reversals(_symmetric(pairs, relations=count), *_inverses(pairs, relations=count))


class _Pairs(NamedTuple):
    """The M triples that are no loops; of a triple and its reverse `pair` is the same number.

    `pair` is (M,) int64, `relations` (M,) int32, and `forward` (M,) bool tells the two directions.
    """

    pair: NDArray[np.int64]
    relations: NDArray[np.int32]
    forward: NDArray[np.bool_]


def _pairs(store: TripleStore) -> _Pairs:
    """Number the pairs of entities, sorted by pair and then direction."""
    heads, relations, tails = store.rows
    low, high = np.minimum(heads, tails), np.maximum(heads, tails)
    pair = low.astype(np.int64) * len(store.entities) + high
    kept = np.flatnonzero(low != high)
    order = kept[np.lexsort((heads[kept] < tails[kept], pair[kept]))]
    return _Pairs(pair[order], relations[order], (heads < tails)[order])


def _symmetric(pairs: _Pairs, *, relations: int) -> NDArray[np.int64]:
    """Count the triples of each relation, (R,), whose reverse has the same relation.

    A store holds no triple twice, so two of one relation and one pair are each other's reverse.
    """
    order = np.lexsort((pairs.relations, pairs.pair))
    pair, relation = pairs.pair[order], pairs.relations[order]
    twice = (pair[1:] == pair[:-1]) & (relation[1:] == relation[:-1])
    return 2 * np.bincount(relation[1:][twice], minlength=relations)


def _inverses(pairs: _Pairs, *, relations: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each relation, (R,), its most frequent inverse or -1, and how often it is."""
    best, often = np.full(relations, -1, np.int64), np.zeros(relations, np.int64)
    keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for own, other in _joined(pairs):
        more, times = np.unique(own.astype(np.int64) * relations + other, return_counts=True)
        keys, places = np.unique(np.concatenate((keys, more)), return_inverse=True)
        counts = np.bincount(places, np.concatenate((counts, times))).astype(np.int64)
        relation, inverse = np.divmod(keys, relations)
        order = np.lexsort((inverse, -counts, relation))
        firsts = order[run_starts(relation[order])]
        best[relation[firsts]], often[relation[firsts]] = inverse[firsts], counts[firsts]
        # Only the last relation may go on in the next piece; it is then written once more.
        unfinished = relation == relation.max(initial=0)
        keys, counts = keys[unfinished], counts[unfinished]
    return best, often


def _joined(pairs: _Pairs) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Yield, a million at a time, a triple's relation beside another one that reverses the triple.

    The first is ascending over all that is yielded.
    """
    starts, sizes = _opposites(pairs)
    kept = np.flatnonzero(sizes)
    kept = kept[np.argsort(pairs.relations[kept], kind="stable")]
    ends = np.cumsum(sizes[kept])
    cuts = np.searchsorted(ends, np.arange(_CHUNK, ends[-1] if len(ends) else 0, _CHUNK))
    for part in np.split(kept, cuts):
        each = sizes[part]
        own = np.repeat(pairs.relations[part], each)
        within = np.arange(len(own)) - np.repeat(np.cumsum(each) - each, each)
        other = pairs.relations[np.repeat(starts[part], each) + within]
        yield own[own != other], other[own != other]


def _opposites(pairs: _Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each triple, (M,), where its reverses start in `pairs`, and how many they are.

    There are none where more than MAX_RELATIONS_OF_A_PAIR stand in either direction.
    """
    starts = run_starts(pairs.pair)
    sizes = np.diff(starts, append=len(pairs.pair))
    ahead = np.add.reduceat(pairs.forward, starts, dtype=np.int64) if len(starts) else sizes
    back = sizes - ahead
    few = (ahead <= MAX_RELATIONS_OF_A_PAIR) & (back <= MAX_RELATIONS_OF_A_PAIR)
    found = np.where(pairs.forward, np.repeat(back * few, sizes), np.repeat(ahead * few, sizes))
    return np.repeat(starts, sizes) + np.where(pairs.forward, 0, np.repeat(back, sizes)), found


def run_starts(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where runs of equal `values` (N,) start."""
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1]))[: len(values)])
