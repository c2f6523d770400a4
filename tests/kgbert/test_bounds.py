"""Bounds hold whatever is still to come, and can be reached."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgbert.bounds import metric_bounds, rank_bounds
from kgbert.metrics import query_values, rank_metrics
from kgbert.ranks import POLICIES, RankCounter, Ranks


def test_bounds_are_the_extremes_of_all_that_can_come() -> None:
    """For small counts all outcomes are tried: each candidate to come is better, equal or worse."""
    for better, equal, worse, left in itertools.product(range(3), range(3), range(2), range(4)):
        seen = better + equal + worse
        outcomes = [
            Ranks.from_counts(
                better=np.array([better + coming.count(1)]),
                equal=np.array([equal + coming.count(0)]),
                others=np.array([seen + left]),
            )
            for coming in itertools.product((-1, 0, 1), repeat=left)
        ]
        bounds = rank_bounds(
            better=np.array([better]), equal=np.array([equal]),
            seen=np.array([seen]), others=np.array([seen + left]),
        )  # fmt: skip
        found = metric_bounds(bounds)
        for policy in POLICIES:
            values = [query_values(ranks.of(policy)) for ranks in outcomes]
            for name, interval in found[policy].items():
                possible = [float(value[name][0]) for value in values]
                assert interval == (min(possible), max(possible)), (policy, name)


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 20))
def test_bounds_close_in_on_the_figures(seed: int, queries: int, candidates: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 5, (queries, candidates)).astype(np.float32)
    true = generator.integers(0, 5, queries).astype(np.float32)
    counter, complete = RankCounter(true), RankCounter(true)
    complete.add(scores)
    final = rank_metrics(complete.ranks())
    others = np.full(queries, candidates)
    before = None
    for column in range(candidates + 1):
        if column:
            counter.add(scores[:, column - 1 : column])
        bounds = metric_bounds(
            rank_bounds(
                better=counter.better, equal=counter.equal, seen=counter.seen, others=others
            )
        )
        for policy in POLICIES:
            for name, value in final.figures[policy].items():
                low, high = bounds[policy][name]
                assert low - 1e-12 <= value <= high + 1e-12
                if before is not None:
                    assert before[policy][name].low - 1e-12 <= low
                    assert high <= before[policy][name].high + 1e-12
                if column == candidates:
                    assert low == high == pytest.approx(value)
        before = bounds


def test_with_nothing_scored_a_rank_is_anywhere() -> None:
    none = np.zeros(2, dtype=np.int64)
    found = rank_bounds(better=none, equal=none, seen=none, others=np.array([4, 9]))
    assert found.least.optimistic.tolist() == [1, 1]
    assert found.greatest.pessimistic.tolist() == [5, 10]
    assert metric_bounds(found)["realistic"]["hits@10"] == (1.0, 1.0)
    assert metric_bounds(found)["realistic"]["hits@3"] == (0.0, 1.0)


@pytest.mark.parametrize("counts", [(0, 0, 3, 2), (2, 2, 3, 5), (-1, 0, 3, 5)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int, int]) -> None:
    better, equal, seen, others = (np.array([count]) for count in counts)
    with pytest.raises(ValueError, match="counts must be"):
        rank_bounds(better=better, equal=equal, seen=seen, others=others)


def test_no_queries_have_no_bounds() -> None:
    none = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match="no queries"):
        metric_bounds(rank_bounds(better=none, equal=none, seen=none, others=none))
