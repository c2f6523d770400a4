"""Take one triple out of a graph, to see what it was good for.

What is left answers as a graph does that never had the triple, orders and names included; a test
holds both equal. Only a relation that no triple is left of stays listed, so that settings that name
it stay valid.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from graphs.bearers import Names, by_name
from graphs.content import Content, group, in_order
from graphs.errors import GraphError
from graphs.groups import Groups
from graphs.store import TripleStore
from graphs.strings import MemoryStrings, Strings
from graphs.triple import Triple


def without(store: TripleStore, triple: tuple[str, str, str]) -> TripleStore:
    """Return the graph of `store` that lacks `triple`; in memory, its strings shared.

    It takes time in proportion to the graph. Raises `GraphError` for a triple that the graph does
    not have, and for one that only names its entity, since the names stay.
    """
    taken = Triple(*triple)
    if taken not in store:
        raise GraphError(f"graph {store.name!r} has no triple {tuple(taken)!r} to take out")
    if taken.relation in store.naming:
        raise GraphError(f"{tuple(taken)!r} says what its entity is called; names stay")
    content = store.content
    wanted = (
        content.entities.number(taken.head),
        content.relations.number(taken.relation),
        content.entities.number(taken.tail),
    )
    row = int(np.flatnonzero((content.rows == np.array(wanted)[:, None]).all(axis=0))[0])
    said = content.names is not None and bool(content.names.of_entity.get(wanted[2]))
    return TripleStore(_without_row(content, row, head=wanted[0], said=said))


def _without_row(content: Content, row: int, *, head: int, said: bool) -> Content:
    rows = np.delete(content.rows, row, axis=1)
    names = content.names
    standing = None if names is None else names.standing.copy()
    if standing is not None and said:
        standing[head] += 1  # it is the number of facts, negative
    # Entities are numbered as they appear, and among equals the number decides.
    order = in_order(rows[[0, 2]].T.ravel())
    entities: Strings = content.entities
    if len(order) < len(entities) or bool((np.diff(order) < 0).any()):
        entities = MemoryStrings.of(content.entities.take(order.tolist()))
        numbers = np.zeros(len(content.entities), dtype=np.int32)
        numbers[order] = np.arange(len(order), dtype=np.int32)
        rows = np.stack([numbers[rows[0]], rows[1], numbers[rows[2]]])
    heads, stated, tails = rows
    return replace(
        content,
        entities=entities,
        rows=rows,
        facts=group(heads, stated, tails, count=len(entities)),
        incoming=group(tails, stated, heads, count=len(entities)),
        heads=in_order(heads),
        origins=None if content.origins is None else np.delete(content.origins, row),
        names=None if names is None or standing is None else _renamed(names, order, standing),
    )


def _renamed(known: Names, order: NDArray[np.int32], standing: NDArray[np.int64]) -> Names:
    """Return the names of the entities `order` (E,), who is meant by each put in order anew."""
    sizes = np.diff(known.of_entity.offsets)[order]
    owners = np.repeat(np.arange(len(order), dtype=np.int32), sizes)
    starts = np.repeat(known.of_entity.offsets[order] - np.cumsum(sizes) + sizes, sizes)
    values = known.of_entity.values[starts + np.arange(len(owners))]
    of_entity = Groups.of(owners, values, count=len(order))
    left = standing[order]
    return Names(
        known.strings,
        of_entity=of_entity,
        entities=by_name(of_entity, names=len(known.strings), standing=left),
        standing=left,
        languages=known.languages,
    )
