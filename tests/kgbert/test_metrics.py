"""Figures of ranks against plain loops and PyKEEN; groups; bounds are in test_bounds.py."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import graphs
from graphs.filters import FilterIndex
from graphs.splits import Splits
from graphs.statistics import relation_statistics
from kgbert.groups import (
    CARDINALITIES,
    SIDES,
    by_cardinality,
    by_leakage,
    by_newness,
    by_relation,
    by_side,
    cardinalities,
)
from kgbert.metrics import grouped_metrics, rank_metrics
from kgbert.ranks import POLICIES, Ranks
from tests.kgbert.test_ranks import GOLDEN, planted


@st.composite
def some_ranks(draw: st.DrawFn) -> Ranks:
    counts = draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=1))
    better, equal = np.array(counts).T
    return Ranks.from_counts(better=better, equal=equal, others=better + equal + 3)


@given(some_ranks(), st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
def test_figures_are_plain_means(ranks: Ranks, hits: list[int]) -> None:
    found = rank_metrics(ranks, hits=hits)
    for policy in POLICIES:
        values = [float(value) for value in getattr(ranks, policy)]
        figures = found.figures[policy]
        assert figures["mr"] == pytest.approx(math.fsum(values) / len(values))
        assert figures["mrr"] == pytest.approx(math.fsum(1 / v for v in values) / len(values))
        for k in hits:
            assert figures[f"hits@{k}"] == pytest.approx(
                sum(value <= k for value in values) / len(values)
            )
    assert found.realistic == found.figures["realistic"]
    assert found.queries == len(ranks)
    tied = [a != b for a, b in zip(ranks.optimistic, ranks.pessimistic, strict=True)]
    assert found.tied == pytest.approx(sum(tied) / len(tied))


@given(some_ranks())
def test_policies_are_ordered_and_the_gap_is_their_distance(ranks: Ranks) -> None:
    found = rank_metrics(ranks)
    best, middle, worst = (found.figures[policy] for policy in POLICIES)
    assert best["mr"] <= middle["mr"] <= worst["mr"]
    for name in ("mrr", "hits@1", "hits@3", "hits@10"):
        assert best[name] >= middle[name] >= worst[name]
        assert found.tie_gap[name] == pytest.approx(best[name] - worst[name])
    assert found.tie_gap["mr"] == pytest.approx(worst["mr"] - best["mr"])
    assert (found.tied == 0) == all(gap == 0 for gap in [found.tie_gap["mr"]])


def test_figures_are_those_of_pykeen() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = rank_metrics(planted(seed=golden["seed"]).ranks())
    names = {
        "mr": "arithmetic_mean_rank", "mrr": "inverse_harmonic_mean_rank",
        "hits@1": "hits_at_1", "hits@3": "hits_at_3", "hits@10": "hits_at_10",
    }  # fmt: skip
    for policy in POLICIES:
        for ours, theirs in names.items():
            expected = golden["metrics"][f"{policy}.{theirs}"]  # their ranks are in float32
            assert found.figures[policy][ours] == pytest.approx(expected, rel=1e-6)
    assert found.tie_gap["mrr"] > 0.005


def test_the_mapping_is_json_and_complete() -> None:
    found = rank_metrics(planted(seed=1).ranks()).to_mapping()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {"queries", "candidates", "tied", *POLICIES, "tie_gap"}


def test_nothing_is_not_measured() -> None:
    with pytest.raises(ValueError, match="no ranks"):
        rank_metrics(planted(seed=1).ranks().select(np.zeros(60, dtype=bool)))


@given(some_ranks(), st.integers(0, 2**32))
def test_groups_are_measured_apart_and_average_to_the_whole(ranks: Ranks, seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(-1, 3, len(ranks))
    found = grouped_metrics(ranks, numbers, names=["a", "b", "c"])
    assert list(found) == [n for i, n in enumerate("abc") if (numbers == i).any()]
    for number, name in enumerate("abc"):
        if name in found:
            assert found[name] == rank_metrics(ranks.select(numbers == number))
    if (numbers >= 0).any():
        whole = rank_metrics(ranks.select(numbers >= 0)).realistic["mrr"]
        total = sum(each.queries for each in found.values())
        parts = sum(each.queries * each.realistic["mrr"] for each in found.values())
        assert parts / total == pytest.approx(whole)


@st.composite
def graph_rows(draw: st.DrawFn) -> NDArray[np.int32]:
    triples = st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 5))
    return np.array(draw(st.lists(triples, min_size=1, max_size=30)), dtype=np.int32)


@given(graph_rows())
def test_cardinalities_are_those_of_the_definition(rows: NDArray[np.int32]) -> None:
    found = cardinalities(rows, relations=5)
    assert found[4] == -1
    for relation in range(4):
        heads, tails = defaultdict(set), defaultdict(set)
        for head, _, tail in {tuple(row) for row in rows.tolist() if row[1] == relation}:
            heads[tail].add(head)
            tails[head].add(tail)
        if not heads:
            assert found[relation] == -1
            continue
        mean_heads = sum(map(len, heads.values())) / len(heads)
        mean_tails = sum(map(len, tails.values())) / len(tails)
        expected = f"{'1' if mean_heads < 1.5 else 'N'}-{'1' if mean_tails < 1.5 else 'N'}"
        assert CARDINALITIES[found[relation]] == expected


def test_cardinalities_are_those_of_the_graphs_package() -> None:
    generator = np.random.default_rng(3)
    triples = {
        (f"e{h}", f"r{r}", f"e{t}")
        for h, r, t in zip(
            generator.integers(0, 40, 300), generator.integers(0, 12, 300),
            generator.integers(0, 9, 300), strict=True,
        )
    }  # fmt: skip
    store = graphs.TripleStore.from_triples(sorted(triples))
    found = cardinalities(store.rows.T, relations=len(store.relations))
    expected = [each.cardinality for each in relation_statistics(store)]
    assert [CARDINALITIES[number] for number in found] == expected
    assert len(set(expected)) > 1


def test_queries_are_grouped_by_what_their_triple_is() -> None:
    train = np.array([[0, 0, 1], [2, 0, 1], [3, 0, 1], [1, 1, 2], [4, 0, 4]])
    test = np.array([[1, 0, 0], [0, 1, 3], [5, 0, 0], [0, 1, 6], [4, 0, 4]])
    sides = np.array([0, 1, 0, 1, 1])
    index = FilterIndex(train.T, entities=7, relations=2)
    assert by_side(sides).numbers.tolist() == sides.tolist()
    assert by_side(sides).names == SIDES
    assert by_relation(test, relations=["r", "s"]).numbers.tolist() == [0, 1, 0, 1, 0]
    newness = by_newness(test, train=train)
    assert [newness.names[n] for n in newness.numbers] == [
        "seen", "seen", "unseen", "unseen", "seen",
    ]  # fmt: skip
    leakage = by_leakage(test, train=index)
    assert leakage.numbers.tolist() == [1, 0, 0, 0, 0]
    cardinality = by_cardinality(test, sides, graph=train, relations=2)
    assert [cardinality.names[n] for n in cardinality.numbers] == [
        "N-1 head", "1-1 tail", "N-1 head", "1-1 tail", "N-1 tail",
    ]  # fmt: skip


@pytest.mark.data
def test_symmetric_leakage_of_real_data_is_what_is_published(data_dir: Path) -> None:
    """34.7 % of WN18RR's test triples have their reverse in train."""
    splits = Splits.open(data_dir / "kgc" / "WN18RR")
    train = FilterIndex.build(splits, parts=("train",))
    groups = by_leakage(splits.test.rows.T, train=train)
    assert groups.numbers.mean() == pytest.approx(0.347, abs=5e-4)
