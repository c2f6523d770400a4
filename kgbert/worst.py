"""The worst mistakes of an evaluation, and how ranks are spread, as plain values for its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kgbert.groups import SIDES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.dataset import KnowledgeData
    from kgbert.judging import Judgements
    from kgbert.ranks import Ranks

WORST: Final = 20
_SPREAD: Final = (1, 3, 10, 30, 100, 300, 1_000)


def worst_ranks(
    data: KnowledgeData,
    triples: NDArray[np.integer],
    ranks: Ranks,
    *,
    sides: NDArray[np.integer] | None = None,
) -> list[dict[str, Any]]:
    """List the triples (N, 3) of the greatest ranks, equal ones in their order.

    `sides` (N,) says what was asked for, by its place in `kgbert.groups.SIDES`; None: relations.
    """
    order = np.argsort(-ranks.realistic, kind="stable")[:WORST]
    return [
        _told(data, triples[place])
        | {
            "asked": "relation" if sides is None else SIDES[sides[place]],
            "rank": ranks.realistic[place].item(),
            "candidates": ranks.candidates[place].item(),
        }
        for place in order.tolist()
        if ranks.realistic[place] > 1
    ]


def worst_decisions(data: KnowledgeData, judged: Judgements) -> list[dict[str, Any]]:
    """List the triples that were called wrongly, those first of which the network was surest.

    That is the distance of probability and label; wrong is what the best way to decide says.
    """
    decided = judged.decisions[list(judged.decisions)[-1]]
    wrong = np.flatnonzero(decided != (judged.labels == 1))
    distance = np.abs(judged.probabilities - judged.labels)
    order = wrong[np.argsort(-distance[wrong], kind="stable")][:WORST]
    return [
        _told(data, judged.triples[place])
        | {
            "label": bool(judged.labels[place] == 1),
            "probability": judged.probabilities[place].item(),
        }
        for place in order.tolist()
    ]


def spread(ranks: Ranks) -> Mapping[str, int]:
    """Count realistic ranks in ranges that grow, by what they are called; ties may be halves."""
    bounds = [*(bound for bound in _SPREAD if bound < ranks.realistic.max()), np.inf]
    counts, low = {}, 0
    for bound in bounds:
        count = int(((ranks.realistic > low) & (ranks.realistic <= bound)).sum())
        if bound == np.inf:
            name = f"over {low}" if low else "1"
        else:
            name = str(bound) if bound == low + 1 else f"{low + 1}–{bound}"
        counts[name] = count
        low = int(bound) if bound < np.inf else low
    return counts


def _told(data: KnowledgeData, triple: NDArray[np.integer]) -> dict[str, Any]:
    head, relation, tail = triple.tolist()
    return {
        "triple": [data.entities[head], data.relations[relation], data.entities[tail]],
        "texts": [
            data.texts.entity(head), data.texts.relation(relation), data.texts.entity(tail),
        ],
    }  # fmt: skip
