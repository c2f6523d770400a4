"""Which queries belong together: by side, relation, cardinality, newness, and leakage.

A query is a test triple and the side that is asked for. Every function gives the place of each
query's group among names, which `kgbert.metrics.grouped_metrics` takes. Triples are (N, 3): head,
relation, tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np

from graphs.statistics import MANY, Cardinality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex

Side = Literal["head", "tail"]
SIDES: Final[tuple[Side, ...]] = get_args(Side)
CARDINALITIES: Final[tuple[Cardinality, ...]] = get_args(Cardinality)


class Groups(NamedTuple):
    """Say of N queries which group each is in: `names[numbers[i]]`."""

    numbers: NDArray[np.int64]
    names: tuple[str, ...]


def by_side(sides: NDArray[np.integer]) -> Groups:
    """Group queries by the missing part; `sides` (N,) are places in `SIDES`."""
    return Groups(sides.astype(np.int64), SIDES)


def by_relation(triples: NDArray[np.integer], *, relations: Sequence[str]) -> Groups:
    """Group queries by relation."""
    return Groups(triples[:, 1].astype(np.int64), tuple(relations))


def by_cardinality(
    triples: NDArray[np.integer],
    sides: NDArray[np.integer],
    *,
    graph: NDArray[np.integer],
    relations: int,
) -> Groups:
    """Group queries by the class of their relation and by side, as `1-N head`.

    Bordes et al. 2013 (section 4.3, table 4) report both sides of each class, since the head of a
    1-N relation is easy to find and its tails are not. `graph` (M, 3) is what classes are counted
    on, there all triples of the data set.
    """
    classes = cardinalities(graph, relations=relations)[triples[:, 1]]
    numbers = np.where(classes < 0, -1, classes * len(SIDES) + sides)
    names = tuple(f"{name} {side}" for name in CARDINALITIES for side in SIDES)
    return Groups(numbers.astype(np.int64), names)


def cardinalities(graph: NDArray[np.integer], *, relations: int) -> NDArray[np.int64]:
    """Return the class of each relation, a place in `CARDINALITIES`, (R,); -1 without triples.

    A side is 1 where fewer than 1.5 of it belong, on average, to one of the other (Bordes et al.
    2013, section 4.3). Triples that occur twice count once.
    """
    distinct = np.unique(graph, axis=0)
    triples = np.bincount(distinct[:, 1], minlength=relations)
    heads, tails = (
        np.bincount(np.unique(distinct[:, [1, part]], axis=0)[:, 0], minlength=relations)
        for part in (0, 2)
    )
    many_tails, many_heads = triples >= MANY * heads, triples >= MANY * tails
    classes = 2 * many_heads + many_tails
    return np.where(triples > 0, classes, -1).astype(np.int64)


def by_newness(triples: NDArray[np.integer], *, train: NDArray[np.integer]) -> Groups:
    """Group queries by whether train (M, 3) has their head and their tail."""
    unseen = ~np.isin(triples[:, [0, 2]], train[:, [0, 2]])
    return Groups(np.asarray(unseen.any(axis=1), dtype=np.int64), ("seen", "unseen"))


def by_leakage(triples: NDArray[np.integer], *, train: FilterIndex) -> Groups:
    """Group queries by whether train has (tail, relation, head), which is symmetric leakage.

    A triple of an entity with itself is its own reverse, which gives nothing away.
    """
    turned = train.contains(triples[:, ::-1].T) & (triples[:, 0] != triples[:, 2])
    return Groups(np.asarray(turned, dtype=np.int64), ("no reverse in train", "reverse in train"))
