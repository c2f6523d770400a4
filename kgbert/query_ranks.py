"""The outcome of an evaluation, complete or not: a rank, or bounds of it, for every query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kbert.errors import RunError
from kgbert.bounds import RankBounds, metric_bounds, rank_bounds
from kgbert.groups import by_cardinality, by_leakage, by_newness, by_relation, by_side
from kgbert.intervals import Interval
from kgbert.metrics import HITS, RankMetrics, grouped_metrics, rank_metrics
from kgbert.ranks import Ranks, TiePolicy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex
    from kgbert.dataset import KnowledgeData


@dataclass(frozen=True, eq=False, kw_only=True)
class QueryRanks:
    """Hold N rows, a test triple and the side asked for, with what is known of their ranks.

    `places` says which triple of the part a row is of; `sides` are places in
    `kgbert.groups.SIDES`; `scores` are those of the true answers, NaN where none was computed yet;
    `better`, `equal`, `seen` and `others` count wrong candidates: better and equal ones among those
    seen, and all that there are.
    """

    triples: NDArray[np.int32]  # (N, 3)
    sides: NDArray[np.int8]
    places: NDArray[np.int64]
    scores: NDArray[np.float64]
    better: NDArray[np.int64]
    equal: NDArray[np.int64]
    seen: NDArray[np.int64]
    others: NDArray[np.int64]

    @property
    def done(self) -> NDArray[np.bool_]:
        """Say of each row whether its rank is known."""
        return ~np.isnan(self.scores)

    def ranks(self) -> Ranks:
        """Return all ranks. Raises `RunError` if some are not known yet."""
        missing = len(self) - int(self.done.sum())
        if missing:
            raise RunError(
                f"{missing} of {len(self)} ranks are not computed yet; finish the evaluation, or"
                " ask for bounds"
            )
        return Ranks.from_counts(better=self.better, equal=self.equal, others=self.others)

    def rank_bounds(self) -> RankBounds:
        """Return the least and the greatest rank that each row can end with."""
        return rank_bounds(better=self.better, equal=self.equal, seen=self.seen, others=self.others)

    def bounds(self, *, hits: Sequence[int] = HITS) -> dict[TiePolicy, dict[str, Interval]]:
        """Bound the figures over all rows; of a complete evaluation both bounds are the figure."""
        return metric_bounds(self.rank_bounds(), hits=hits)

    def metrics(self, *, hits: Sequence[int] = HITS) -> RankMetrics:
        """Compute the figures over all rows. Raises `RunError` if some ranks are not known yet."""
        return rank_metrics(self.ranks(), hits=hits)

    def report(
        self,
        data: KnowledgeData,
        *,
        learnt: FilterIndex | None = None,
        hits: Sequence[int] = HITS,
    ) -> dict[str, dict[str, RankMetrics]]:
        """Compute the figures of all rows and of groups of them, as `kgbert.groups` has them.

        Cardinality classes are counted on all true triples of `data`; `learnt` are those by which
        entities are seen and reverses known, train by default. Raises `RunError` if some ranks are
        not known yet.
        """
        ranks, triples = self.ranks(), self.triples
        graph = data.filter("train", "valid", "test").rows.T
        train = data.filter("train") if learnt is None else learnt
        groups = {
            "side": by_side(self.sides),
            "relation": by_relation(triples, relations=data.relations),
            "cardinality": by_cardinality(
                triples, self.sides, graph=graph, relations=len(data.relations)
            ),
            "entities": by_newness(triples, train=train.rows.T),
            "leakage": by_leakage(triples, train=train),
        }
        report = {"all": {"all": rank_metrics(ranks, hits=hits)}}
        for name, (numbers, names) in groups.items():
            report[name] = grouped_metrics(ranks, numbers, names=names, hits=hits)
        return report

    def __len__(self) -> int:
        """Return the number of rows, N."""
        return len(self.triples)
