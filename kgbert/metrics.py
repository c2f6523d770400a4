"""Figures of ranks: mean rank, mean reciprocal rank, Hits@k, under each policy of ties.

Every figure is a mean over queries of a value that one rank gives, so groups, intervals and bounds
are means of the same values (`query_values`). A rank under the realistic policy can be 1.5, which
is a hit among 3 and no hit among 1, as in PyKEEN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kgbert.ranks import POLICIES, Ranks, TiePolicy

if TYPE_CHECKING:
    from numpy.typing import NDArray

HITS: Final = (1, 3, 10)


@dataclass(frozen=True, slots=True)
class RankMetrics:
    """Describe the ranks of some queries.

    `figures` holds, for each policy of ties, `mr`, `mrr` and `hits@k`; `tied` is the share of
    queries whose true answer has the score of another candidate; `candidates` the mean number of
    candidates of a query.
    """

    queries: int
    candidates: float
    tied: float
    figures: Mapping[TiePolicy, Mapping[str, float]]

    @property
    def realistic(self) -> Mapping[str, float]:
        """Return the figures that are meant where no policy is named."""
        return self.figures["realistic"]

    @property
    def tie_gap(self) -> Mapping[str, float]:
        """Return how far ties can move each figure: its two extremes' distance, never negative."""
        worst = self.figures["pessimistic"]
        return {name: abs(best - worst[name]) for name, best in self.figures["optimistic"].items()}

    def to_mapping(self) -> dict[str, Any]:
        """List everything as plain values, for JSON."""
        content: dict[str, Any] = {
            "queries": self.queries,
            "candidates": self.candidates,
            "tied": self.tied,
        }
        content |= {policy: dict(figures) for policy, figures in self.figures.items()}
        return content | {"tie_gap": dict(self.tie_gap)}


def query_values(
    ranks: NDArray[np.floating], *, hits: Sequence[int] = HITS
) -> dict[str, NDArray[np.float64]]:
    """Return what each of `ranks` (N,) adds to each figure; a figure is the mean of its values.

    All of them are monotone in the rank: `mr` grows with it, the others never do.
    """
    values = {"mr": ranks.astype(np.float64), "mrr": 1 / ranks.astype(np.float64)}
    return values | {f"hits@{k}": (ranks <= k).astype(np.float64) for k in hits}


def rank_metrics(ranks: Ranks, *, hits: Sequence[int] = HITS) -> RankMetrics:
    """Compute the figures of `ranks`. Raises `ValueError` if there are none."""
    if not len(ranks):
        raise ValueError("there is nothing to measure: no ranks")
    return RankMetrics(
        queries=len(ranks),
        candidates=float(ranks.candidates.mean()),
        tied=float((ranks.optimistic != ranks.pessimistic).mean()),
        figures={
            policy: {
                name: float(values.mean())
                for name, values in query_values(ranks.of(policy), hits=hits).items()
            }
            for policy in POLICIES
        },
    )


def grouped_metrics(
    ranks: Ranks,
    groups: NDArray[np.integer],
    *,
    names: Sequence[str],
    hits: Sequence[int] = HITS,
) -> dict[str, RankMetrics]:
    """Compute the figures of each group of queries that has any, in the order of `names`.

    `groups` (N,) holds the place of each query's group in `names`; a query with -1 is in none.
    """
    return {
        name: rank_metrics(ranks.select(groups == number), hits=hits)
        for number, name in enumerate(names)
        if (groups == number).any()
    }
