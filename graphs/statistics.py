"""Figures over a whole graph, computed on the store's number arrays: no object for a triple.

Arrays that speak of entities have one entry an entity, in the order of `store.entities`. Triples
are counted as they are: two relations between the same entities are two edges, and a triple whose
head is its tail (a loop) is one that goes out and one that comes in. Everything is a function of
the graph alone, so equal graphs give equal figures, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.reversals import reversals, run_starts
from graphs.store import TripleStore

Cardinality = Literal["1-1", "1-N", "N-1", "N-N"]
Centrality = Literal["degree", "pagerank"]

MANY = 1.5
_DAMPING = 0.85
_TOLERANCE = 1e-10


class Degrees(NamedTuple):
    """Numbers of triples that entities are in; each array is (E,) int64 for E entities."""

    incoming: NDArray[np.int64]
    outgoing: NDArray[np.int64]
    total: NDArray[np.int64]


class Bin(NamedTuple):
    """Count the entities whose degree is at least `low` and at most `high`."""

    low: int
    high: int
    entities: int


class Components(NamedTuple):
    """Parts of a graph between which there is no triple, the largest first.

    `labels` is (E,) int32, the component of each entity; `sizes` is (C,) int64, the number of
    entities of each, descending. Of equal ones that with the earlier entity comes first.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class RelationStatistics:
    """Describe one relation.

    - `triples`, `heads`, `tails`: how many triples, different heads and different tails it has
    - `loops`: how many of the triples have the same entity as head and tail
    - `tails_per_head`, `heads_per_tail`: triples for each different head, for each different tail
    - `cardinality`: heads to tails, each 1 where fewer than 1.5 belong to one of the other, else N
    - `symmetric`: share of the triples (h, relation, t) whose reverse (t, relation, h) is there
    - `inverse`: the other relation with most of the reverses, the earlier of equals, or None
    - `inverse_share`: share of the triples (h, relation, t) for which (t, inverse, h) is there

    Loops are left out of the shares: that they are their own reverse says nothing.
    """

    relation: str
    triples: int
    heads: int
    tails: int
    loops: int
    tails_per_head: float
    heads_per_tail: float
    cardinality: Cardinality
    symmetric: float
    inverse: str | None
    inverse_share: float


def degrees(store: TripleStore) -> Degrees:
    """Count for each entity the triples that it is tail of, head of, and both together."""
    heads, _, tails = store.rows
    count = len(store.entities)
    outgoing = np.bincount(heads, minlength=count)
    incoming = np.bincount(tails, minlength=count)
    return Degrees(incoming, outgoing, incoming + outgoing)


def degree_histogram(values: NDArray[np.int64]) -> list[Bin]:
    """Count entities by degree in bins that double: 0, 1, 2-3, 4-7, ..., up to the largest.

    `values` is (E,), one array of `Degrees`. Bins between that hold nothing are listed too.
    """
    if not len(values):
        return []
    # The exponent of a positive whole number is its length in bits, and that of 0 is 0.
    counts = np.bincount(np.frexp(values.astype(np.float64))[1])
    ends = [0, *((1 << bits) - 1 for bits in range(1, len(counts)))]
    starts = [0, *(end + 1 for end in ends)]
    return list(map(Bin, starts, ends, counts.tolist()))


def relation_statistics(store: TripleStore) -> list[RelationStatistics]:
    """Describe each relation, in the order of `store.relations`.

    The cardinality classes, and 1.5 as their threshold, are those of Bordes et al. 2013
    (Translating embeddings for modeling multi-relational data, section 4.3). Inverses are searched
    for as `graphs.reversals` says, which leaves out entities that very many relations join.
    """
    heads, relations, tails = store.rows
    count = len(store.relations)
    triples = np.bincount(relations, minlength=count)
    loops = np.bincount(relations[heads == tails], minlength=count)
    reversible = np.maximum(triples - loops, 1)
    turned = reversals(store)
    different = _distinct(heads, store=store), _distinct(tails, store=store)
    inverses = [None if one < 0 else store.relations[one] for one in turned.inverse.tolist()]
    counts = (
        triples,
        *different,
        loops,
        turned.symmetric / reversible,
        turned.reversed / reversible,
    )
    columns = (array.tolist() for array in counts)
    return [
        RelationStatistics(
            relation=relation,
            triples=size,
            heads=some_heads,
            tails=some_tails,
            loops=own,
            tails_per_head=size / some_heads,
            heads_per_tail=size / some_tails,
            cardinality=_cardinality(size / some_heads, size / some_tails),
            symmetric=symmetric,
            inverse=inverse,
            inverse_share=share,
        )
        for relation, inverse, size, some_heads, some_tails, own, symmetric, share in zip(
            store.relations, inverses, *columns, strict=True
        )
    ]


def _cardinality(tails_per_head: float, heads_per_tail: float) -> Cardinality:
    if heads_per_tail < MANY:
        return "1-1" if tails_per_head < MANY else "1-N"
    return "N-1" if tails_per_head < MANY else "N-N"


def _distinct(entities: NDArray[np.int32], *, store: TripleStore) -> NDArray[np.intp]:
    """Count the different `entities` (N,), which stand beside the relations, of each relation."""
    keys = store.rows[1].astype(np.int64) * len(store.entities)
    keys += entities
    keys.sort()
    keys = keys[run_starts(keys)] // max(len(store.entities), 1)
    return np.bincount(keys, minlength=len(store.relations))


def components(store: TripleStore) -> Components:
    """Find the weakly connected components: what hangs together when no direction counts.

    Literals are entities too, so two subjects that share one, such as a year, hang together.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    heads, _, tails = store.rows
    count = len(store.entities)
    if not count:
        return Components(np.zeros(0, np.int32), np.zeros(0, np.int64))
    # However many relations join a pair, their sum as bool is one that cannot overflow.
    joined = coo_array((np.ones(len(heads), np.bool_), (heads, tails)), shape=(count, count))
    _, found = connected_components(joined, directed=True, connection="weak")
    _, firsts, sizes = np.unique(found, return_index=True, return_counts=True)
    order = np.lexsort((firsts, -sizes))
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return Components(ranks[found], sizes[order].astype(np.int64))


def centrality(store: TripleStore, *, kind: Centrality) -> NDArray[np.float64]:
    """Return how central each entity is, (E,) float64.

    `degree` is the number of its triples over the number of other entities (Freeman 1978, as in
    networkx), and 1 for the only entity of a graph. `pagerank` (Brin and Page 1998) is the share of
    time that a walker spends there who follows a triple from head to tail with probability 0.85,
    each out of the present entity alike, and else, or where there is none, goes anywhere: the sum
    is 1. Raises `GraphError` for another kind.
    """
    if kind == "pagerank":
        return _pagerank(store)
    if kind != "degree":
        raise GraphError(f"no centrality {kind!r}; known are 'degree' and 'pagerank'")
    total = degrees(store).total
    return total / (len(total) - 1) if len(total) > 1 else np.ones(len(total))


def _pagerank(store: TripleStore) -> NDArray[np.float64]:
    """Iterate until the ranks change by less than 1e-10 in sum.

    An iteration shrinks the change by 0.85, so there are at most 147 of them on any graph.
    """
    from scipy.sparse import coo_array

    heads, _, tails = store.rows
    count = len(store.entities)
    outgoing = np.bincount(heads, minlength=count)
    steps = coo_array((1.0 / outgoing[heads], (tails, heads)), shape=(count, count)).tocsr()
    ends = np.flatnonzero(outgoing == 0)
    ranks = np.full(count, 1.0 / max(count, 1))
    change = 1.0
    while count and change >= _TOLERANCE:
        anywhere = (1.0 - _DAMPING + _DAMPING * ranks[ends].sum()) / count
        following = _DAMPING * (steps @ ranks) + anywhere
        change = float(np.abs(following - ranks).sum())
        ranks = following
    return ranks
