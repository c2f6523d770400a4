"""Sound bounds of ranking figures while candidates are still to be scored.

A true answer that has b better and e equal ones among the candidates scored so far, with u still
to come, ends with between b and b + u better ones, whatever the scores to come are. The first is
the case if all of them are worse, the second if all are better, so both bounds can be reached: none
closer would be sound. Every figure is monotone in the rank, hence bounded by the means over the
queries' bounds. With nothing scored the rank is between 1 and the number of candidates; with
everything scored both bounds are the figure itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kgbert.intervals import Interval
from kgbert.metrics import HITS, query_values
from kgbert.ranks import POLICIES, Ranks, TiePolicy

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RankBounds(NamedTuple):
    """The least and the greatest ranks that N queries can end with, under each policy of ties."""

    least: Ranks
    greatest: Ranks


def rank_bounds(
    *,
    better: NDArray[np.integer],
    equal: NDArray[np.integer],
    seen: NDArray[np.integer],
    others: NDArray[np.integer],
) -> RankBounds:
    """Bound ranks from counts (N,) of wrong candidates: better, equal, seen, and all there are.

    Raises `ValueError` for counts that cannot be: more seen than there are, or more better and
    equal ones than seen.
    """
    if (
        (seen > others).any()
        or (better + equal > seen).any()
        or (np.minimum(better, equal) < 0).any()
    ):
        raise ValueError("counts must be 0 <= better + equal <= seen <= others")
    left = others - seen
    return RankBounds(
        least=Ranks.from_counts(better=better, equal=equal, others=others),
        greatest=Ranks.from_counts(better=better + left, equal=equal, others=others),
    )


def metric_bounds(
    bounds: RankBounds, *, hits: Sequence[int] = HITS
) -> dict[TiePolicy, dict[str, Interval]]:
    """Bound `mr`, `mrr` and `hits@k` under each policy of ties.

    Raises `ValueError` if there are no queries.
    """
    if not len(bounds.least):
        raise ValueError("there is nothing to bound: no queries")
    found: dict[TiePolicy, dict[str, Interval]] = {}
    for policy in POLICIES:
        least, greatest = (query_values(ranks.of(policy), hits=hits) for ranks in bounds)
        ends = {name: (float(least[name].mean()), float(greatest[name].mean())) for name in least}
        found[policy] = {name: Interval(min(pair), max(pair)) for name, pair in ends.items()}
    return found
