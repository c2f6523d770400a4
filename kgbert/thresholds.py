"""Decide by thresholds on scores, one for all relations or one for each, chosen on validation.

A triple is called true if its score is at least the threshold. The best threshold is that of the
greatest accuracy on labelled triples, and among equally good ones that nearest to a neutral score:
0.5 for probabilities, 0 for differences of logits. Thresholds for each relation are the protocol
of Socher et al. 2013 (Reasoning With Neural Tensor Networks, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def best_threshold(
    scores: NDArray[np.floating], labels: NDArray[np.integer], *, neutral: float
) -> float:
    """Return the threshold of the greatest accuracy on `scores` (N,) and `labels` (N,) in {0, 1}.

    Thresholds stand halfway between two neighbouring scores, at `neutral`, or beyond all scores.
    Raises `ValueError` if there are no scores, or one is not finite.
    """
    if not len(scores) or len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores, {len(labels)} labels; expected as many, and some")
    exact = scores.astype(np.float64)
    if not np.isfinite(exact).all():
        raise ValueError("a score is not a finite number")
    order = np.argsort(exact, kind="stable")
    ordered, true = exact[order], labels[order] == 1
    cuts = _cuts(ordered, neutral=neutral)
    below = np.searchsorted(ordered, cuts, side="left")
    positives = np.append(0, np.cumsum(true))
    # Right are the false ones below the cut and the true ones from it on.
    right = (below - positives[below]) + (positives[-1] - positives[below])
    best = cuts[right == right.max()]
    return float(best[np.argmin(np.abs(best - neutral))])


def _cuts(ordered: NDArray[np.float64], *, neutral: float) -> NDArray[np.float64]:
    """Return thresholds for every way to cut ascending scores in two, and the neutral one."""
    distinct = np.unique(ordered)
    low, high = distinct[:-1], distinct[1:]
    middle = low + (high - low) / 2
    # Between neighbouring floats there is no number: then the higher one has the same effect.
    middle = np.where(middle > low, middle, high)
    ends = [distinct[0], np.nextafter(distinct[-1], np.inf)]
    return np.concatenate([middle, ends, [neutral]])


@dataclass(frozen=True)
class Thresholds:
    """Hold the threshold of all relations, and of each that has one of its own."""

    overall: float
    of_relation: Mapping[int, float]

    @classmethod
    def fit(
        cls,
        scores: NDArray[np.floating],
        labels: NDArray[np.integer],
        *,
        relations: NDArray[np.integer],
        neutral: float,
        at_least: int = 2,
    ) -> Thresholds:
        """Choose the best thresholds for labelled triples of `relations` (N,).

        A relation with fewer than `at_least` triples, or with triples of one label only, which say
        nothing of where the other label begins, is left to the overall threshold.
        """
        found = {}
        for relation in np.unique(relations).tolist():
            own = relations == relation
            if own.sum() >= at_least and 0 < labels[own].sum() < own.sum():
                found[relation] = best_threshold(scores[own], labels[own], neutral=neutral)
        return cls(best_threshold(scores, labels, neutral=neutral), found)

    def of(self, relations: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the threshold (N,) of each of `relations` (N,)."""
        distinct, places = np.unique(relations, return_inverse=True)
        values = [self.of_relation.get(number, self.overall) for number in distinct.tolist()]
        return np.array(values, dtype=np.float64)[places]

    def decide(
        self, scores: NDArray[np.floating], *, relations: NDArray[np.integer]
    ) -> NDArray[np.bool_]:
        """Say of each triple (N,) whether it is called true."""
        decided: NDArray[np.bool_] = scores.astype(np.float64) >= self.of(relations)
        return decided

    def renumbered(self, numbers: Mapping[int, int]) -> Thresholds:
        """Return the same for relations with other `numbers`; one without has no threshold."""
        own = self.of_relation.items()
        return Thresholds(
            self.overall, {numbers[old]: value for old, value in own if old in numbers}
        )

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        own = {str(relation): value for relation, value in sorted(self.of_relation.items())}
        return {"overall": self.overall, "of_relation": own}

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Thresholds:
        """Read what `to_mapping` gave. Raises `KeyError`, `TypeError` or `ValueError` if broken."""
        own = {int(relation): float(value) for relation, value in content["of_relation"].items()}
        return cls(float(content["overall"]), own)
