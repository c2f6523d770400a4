"""Scores in low precision that lead to the ranks of 32 bits.

A rank needs to know on which side of the true score a candidate is. If two precisions differ by at
most a margin, a candidate further than that from the true score, in low precision, is on the same
side in 32 bits; only the others are scored again. The margin is twice the largest difference seen:
on a sample first, then on everything that is scored again. It is an observation, not a proof: how
sure it makes ranks can be read off the two numbers, and where a difference turns out larger than a
margin that was used before, what was decided with it has to be decided again (`kgbert.ranking`
does). Without a second engine all scores are those of 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from kgbert.scores import ScoreKind, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.engine import ScoringEngine

SAFETY: Final = 2.0


class CertainScorer:
    """Score triples so that comparisons with true scores come out as in 32 bits."""

    def __init__(
        self,
        exact: ScoringEngine,
        *,
        kind: ScoreKind = "difference",
        fast: ScoringEngine | None = None,
    ) -> None:
        """Score with `fast`, if there is one, and with `exact` where that leaves a doubt."""
        self.exact = exact
        self.kind = kind
        self.fast = fast
        self.error = 0.0
        """The largest difference of the two precisions that was seen."""
        self.scored = 0
        """How many candidates were scored, and of these again:"""
        self.rescored = 0

    @property
    def margin(self) -> float:
        """Return the distance within which a candidate is scored again."""
        return SAFETY * self.error

    def true_scores(self, triples: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the scores (n,) of true triples (n, 3) in 32 bits, and watch the difference."""
        scores = scores_of(self.exact.logits(triples), kind=self.kind)
        if self.fast is not None:
            self._watch(scores, scores_of(self.fast.logits(triples), kind=self.kind))
        return scores

    def sample(self, triples: NDArray[np.integer]) -> None:
        """Compare both precisions on `triples` (n, 3)."""
        self.true_scores(triples)

    def candidate_scores(
        self,
        triples: NDArray[np.integer],
        *,
        queries: NDArray[np.integer],
        true: Sequence[NDArray[np.floating]],
    ) -> NDArray[np.float64]:
        """Return scores (n,) that are above, below or equal to true scores as those of 32 bits are.

        Triple i belongs to query `queries[i]`, ascending, whose true scores are
        `true[queries[i]]`. Repeats itself where a difference makes the margin grow.
        """
        self.scored += len(triples)
        if self.fast is None:
            return scores_of(self.exact.logits(triples), kind=self.kind)
        scores = scores_of(self.fast.logits(triples), kind=self.kind)
        distances = _distances(scores, queries=queries, true=true)
        again = np.zeros(len(scores), dtype=np.bool_)
        while (doubtful := (distances <= self.margin) & ~again).any():
            exact = scores_of(self.exact.logits(triples[doubtful]), kind=self.kind)
            self._watch(exact, scores[doubtful])
            scores[doubtful] = exact
            again |= doubtful
        self.rescored += int(again.sum())
        return scores

    def _watch(self, exact: NDArray[np.float64], fast: NDArray[np.float64]) -> None:
        if len(exact):
            self.error = max(self.error, float(np.abs(exact - fast).max()))


def _distances(
    scores: NDArray[np.float64],
    *,
    queries: NDArray[np.integer],
    true: Sequence[NDArray[np.floating]],
) -> NDArray[np.float64]:
    """Return how far each score is from the nearest true score of its query."""
    distances = np.empty_like(scores)
    bounds = np.searchsorted(queries, np.arange(len(true) + 1))
    for number, wanted in enumerate(true):
        own = slice(bounds[number], bounds[number + 1])
        ordered = np.sort(wanted)
        after = np.searchsorted(ordered, scores[own])
        above = np.abs(ordered[np.minimum(after, len(ordered) - 1)] - scores[own])
        below = np.abs(scores[own] - ordered[np.maximum(after - 1, 0)])
        distances[own] = np.minimum(above, below)
    return distances
