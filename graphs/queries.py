"""Answer with whole columns of numbers what would take too long fact by fact.

Rows of facts are places in the columns grouped by head, see `graphs.content`.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from graphs.content import Content, Source
from graphs.names import is_naming


def rarest(content: Content, rows: slice, *, relation_counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Order rows of facts: the least frequent relation first, then the least frequent tail.

    `relation_counts` (R,) says how many triples have each relation. Equals keep their order.
    """
    relations, tails = content.facts.relations[rows], content.facts.others[rows]
    counts = _lengths(content.incoming.offsets, tails)
    return int(rows.start) + np.lexsort((counts, relation_counts[relations]))


def central(content: Content, rows: slice) -> NDArray[np.intp]:
    """Order rows of facts: the tail of the highest degree first, see `TripleStore.central_facts`.

    Equals keep their order.
    """
    tails = content.facts.others[rows]
    degrees = _lengths(content.incoming.offsets, tails)
    degrees += _lengths(content.facts.offsets, tails)
    return int(rows.start) + np.argsort(-degrees, kind="stable")


def heads_where(
    content: Content, *, relations: Collection[str] | None, sayable: bool
) -> NDArray[np.int32]:
    """Return the heads (K,) with a fact of one of `relations` (None: any), in their order.

    With `sayable` the fact must also be one that there are words for.
    """
    facts, known = content.facts, content.names
    allowed = np.ones(len(content.relations), dtype=np.bool_)
    if relations is not None:
        allowed[:] = False
        numbers = np.array([content.relations.number(name) for name in relations], dtype=int)
        allowed[numbers[numbers >= 0]] = True
    if sayable and known is not None:
        naming = is_naming(content.relations)
        allowed[[content.relations.number(name) for name in naming]] = False
    kept = allowed[facts.relations]
    if sayable and known is not None:
        kept &= known.has_name()[facts.others]
    before = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])
    has_fact = before[facts.offsets[1:]] > before[facts.offsets[:-1]]
    return content.heads[has_fact[content.heads]]


def source_of(content: Content, triple: tuple[str, str, str]) -> Source | None:
    """Return the source that brought a triple of the graph first; None if that is not known."""
    sources, origins = content.about.sources, content.origins
    if not sources or origins is None:
        return sources[0] if sources else None
    head, relation, tail = triple
    heads, relations, tails = content.rows
    rows = np.flatnonzero(heads == content.entities.number(head))
    rows = rows[tails[rows] == content.entities.number(tail)]
    rows = rows[relations[rows] == content.relations.number(relation)]
    return sources[int(origins[rows[0]])]


def _lengths(offsets: NDArray[np.int64], numbers: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how long the lists of `numbers` (K,) are."""
    return offsets[numbers + 1] - offsets[numbers]
