"""Ranks of true answers among their candidates, and what ties do to them.

A rank is 1 + the number of candidates that are better. Candidates with the same score as the true
answer stand behind it in the optimistic rank and before it in the pessimistic one; the realistic
rank is the mean of the two, the expected rank if ties are broken by chance (Berrendorf et al. 2020,
On the Ambiguity of Rank-Based Evaluation; PyKEEN's `Ranks`). Candidates are counted as they come,
so a rank can be had from parts of the scores, in any order: `RankCounter`.

Shapes: N queries, C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TiePolicy = Literal["optimistic", "realistic", "pessimistic"]
POLICIES: tuple[TiePolicy, ...] = get_args(TiePolicy)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranks:
    """Hold the ranks of N queries, each array (N,); ranks count from 1.

    `candidates` says among how many a rank is, the true answer included, those left out not.
    """

    optimistic: NDArray[np.int64]
    realistic: NDArray[np.float64]
    pessimistic: NDArray[np.int64]
    candidates: NDArray[np.int64]

    @classmethod
    def from_counts(
        cls,
        *,
        better: NDArray[np.integer],
        equal: NDArray[np.integer],
        others: NDArray[np.integer],
    ) -> Ranks:
        """Make ranks from the numbers (N,) of wrong candidates: better, equal, and all of them."""
        above, tied = better.astype(np.int64), equal.astype(np.int64)
        return cls(
            optimistic=above + 1,
            realistic=above + tied / 2 + 1,
            pessimistic=above + tied + 1,
            candidates=others.astype(np.int64) + 1,
        )

    @classmethod
    def from_scores(
        cls,
        true: NDArray[np.floating],
        scores: NDArray[np.floating],
        *,
        excluded: NDArray[np.bool_] | None = None,
    ) -> Ranks:
        """Rank the true scores (N,) among `scores` (N, C), which hold them too, as PyKEEN does.

        `excluded` (N, C) marks candidates that do not count, such as other known answers; their
        scores may be anything.

        Raises `ValueError` if shapes do not fit, a score that counts is NaN or infinite, or a true
        score is not among those of its row.
        """
        counts = RankCounter(true)
        counts.add(scores, excluded=excluded)
        lost = np.flatnonzero(counts.equal == 0)
        if len(lost):
            raise ValueError(
                f"row {lost.item(0)}: the true score is not among its scores; give it a column, "
                "and do not exclude that"
            )
        return cls.from_counts(better=counts.better, equal=counts.equal - 1, others=counts.seen - 1)

    @classmethod
    def from_answers(
        cls,
        answers: NDArray[np.integer],
        scores: NDArray[np.floating],
        *,
        known: NDArray[np.bool_] | None = None,
    ) -> Ranks:
        """Rank the columns `answers` (N,) of `scores` (N, C): the relations of pairs, for example.

        `known` (N, C) marks all right answers; those of a row that are not asked for are left out,
        which makes the ranks filtered. Without it they are raw. Raises `ValueError` as
        `from_scores` does.
        """
        places = np.arange(len(scores)), answers
        if known is not None:
            known = known.copy()
            known[places] = False
        return cls.from_scores(scores[places], scores, excluded=known)

    def of(self, policy: TiePolicy) -> NDArray[np.float64]:
        """Return the ranks (N,) under a policy of ties, as floats."""
        ranks: NDArray[np.float64] = getattr(self, policy).astype(np.float64)
        return ranks

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Ranks:
        """Return the ranks of some queries: a mask (N,), or their numbers."""
        return Ranks(
            optimistic=self.optimistic[chosen],
            realistic=self.realistic[chosen],
            pessimistic=self.pessimistic[chosen],
            candidates=self.candidates[chosen],
        )

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.optimistic)


class RankCounter:
    """Count better and equal candidates of N queries while their scores come in parts."""

    def __init__(self, true: NDArray[np.floating]) -> None:
        """Start from the true scores (N,). Raises `ValueError` if one is not finite."""
        self.true = _finite(np.asarray(true), what="a true score")
        if self.true.ndim != 1:
            raise ValueError(f"true scores have shape {self.true.shape}; expected (N,)")
        self.better, self.equal, self.seen = np.zeros((3, len(self.true)), dtype=np.int64)

    def add(
        self,
        scores: NDArray[np.floating],
        *,
        excluded: NDArray[np.bool_] | None = None,
        rows: NDArray[np.integer] | None = None,
    ) -> None:
        """Count candidates with `scores` (K, C) of the queries `rows` (K,), by default all.

        No row may stand twice among `rows`. What `excluded` (K, C) marks is not counted.

        Raises `ValueError` if shapes do not fit, or a score that counts is not finite.
        """
        places = np.arange(len(self.true)) if rows is None else rows
        counted = np.ones(scores.shape, dtype=np.bool_) if excluded is None else ~excluded
        if scores.ndim != 2 or len(scores) != len(places) or counted.shape != scores.shape:
            raise ValueError(
                f"scores {scores.shape} and excluded {counted.shape} do not fit {len(places)} rows"
            )
        _finite(scores[counted], what="a score")
        true = self.true[places][:, None]
        self.better[places] += ((scores > true) & counted).sum(axis=1)
        self.equal[places] += ((scores == true) & counted).sum(axis=1)
        self.seen[places] += counted.sum(axis=1)

    def add_shared(
        self, scores: NDArray[np.floating], *, rows: NDArray[np.integer] | slice
    ) -> None:
        """Count wrong candidates with `scores` (C,) that the queries `rows` have in common.

        Takes C log C for however many queries. Raises `ValueError` if a score is not finite.
        """
        ordered = np.sort(_finite(scores, what="a score"))
        upto = np.searchsorted(ordered, self.true[rows], side="right")
        self.better[rows] += len(ordered) - upto
        self.equal[rows] += upto - np.searchsorted(ordered, self.true[rows], side="left")
        self.seen[rows] += len(ordered)

    def merge(self, other: RankCounter) -> None:
        """Add what another counter saw of the same queries.

        Raises `ValueError` if its true scores are others.
        """
        if not np.array_equal(self.true, other.true):
            raise ValueError("the counters have different true scores")
        self.better += other.better
        self.equal += other.equal
        self.seen += other.seen

    def ranks(self) -> Ranks:
        """Return the ranks among what was counted, where no true answer was counted itself."""
        return Ranks.from_counts(better=self.better, equal=self.equal, others=self.seen)


def _finite(scores: NDArray[np.floating], *, what: str) -> NDArray[np.floating]:
    """Refuse NaN, which compares as if it were worse than all, and infinities."""
    if not np.isfinite(scores).all():
        raise ValueError(f"{what} is not a finite number; the model that gave it is broken")
    return scores
