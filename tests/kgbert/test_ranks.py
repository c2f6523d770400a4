"""Ranks against brute force, PyKEEN, and against themselves in parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kgbert.ranks import RankCounter, Ranks

GOLDEN = Path(__file__).parent / "pykeen_ranks.json"


class Case(NamedTuple):
    """N queries over C candidates: scores (N, C), the columns (N,) of the true ones, a mask."""

    scores: NDArray[np.float32]
    answers: NDArray[np.int64]
    excluded: NDArray[np.bool_]

    @property
    def true(self) -> NDArray[np.float32]:
        return self.scores[np.arange(len(self.scores)), self.answers]

    def ranks(self) -> Ranks:
        return Ranks.from_scores(self.true, self.scores, excluded=self.excluded)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Few different scores, so that there are ties in most rows, with the true one and others."""
    queries, candidates = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.integers(1, 6))
    scores = generator.integers(0, levels, (queries, candidates)).astype(np.float32) / 8 - 0.3
    answers = generator.integers(0, candidates, queries)
    excluded = generator.random((queries, candidates)) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    excluded[np.arange(queries), answers] = False
    return Case(scores, answers, excluded)


def brute(case: Case, row: int) -> tuple[int, float, int, int]:
    """Sort the candidates that count; the true one first among its equals, and last."""
    true = float(case.scores[row, case.answers[row]])
    kept = [
        (float(score), column == case.answers[row])
        for column, score in enumerate(case.scores[row])
        if not case.excluded[row, column]
    ]
    first = sorted(kept, key=lambda each: (-each[0], not each[1])).index((true, True)) + 1
    last = sorted(kept, key=lambda each: (-each[0], each[1])).index((true, True)) + 1
    return first, (first + last) / 2, last, len(kept)


def rows_of(ranks: Ranks) -> list[tuple[Any, ...]]:
    columns = (ranks.optimistic, ranks.realistic, ranks.pessimistic, ranks.candidates)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(cases())
def test_ranks_are_places_in_the_sorted_candidates(case: Case) -> None:
    assert rows_of(case.ranks()) == [brute(case, row) for row in range(len(case.scores))]


@given(cases())
def test_what_is_excluded_may_have_any_score(case: Case) -> None:
    spoilt = case.scores.copy()
    spoilt[case.excluded] = np.nan
    other = Ranks.from_scores(case.true, spoilt, excluded=case.excluded)
    assert rows_of(other) == rows_of(case.ranks())


@given(cases(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_parts_in_any_order_come_to_the_same(case: Case, chunk: int, random: Any) -> None:
    """Counters see wrong candidates only; two of them share the columns and are merged."""
    queries, candidates = case.scores.shape
    excluded = case.excluded.copy()
    excluded[np.arange(queries), case.answers] = True
    order = np.array(random.sample(range(candidates), candidates))
    counters = RankCounter(case.true), RankCounter(case.true)
    for number, start in enumerate(range(0, candidates, chunk)):
        columns = order[start : start + chunk]
        for rows in np.array_split(np.array(random.sample(range(queries), queries)), 2):
            counters[number % 2].add(
                case.scores[np.ix_(rows, columns)],
                excluded=excluded[np.ix_(rows, columns)],
                rows=rows,
            )
    counters[0].merge(counters[1])
    assert rows_of(counters[0].ranks()) == rows_of(case.ranks())


@given(cases(), st.integers(1, 4))
def test_candidates_in_common_are_counted_as_those_of_each(case: Case, chunk: int) -> None:
    one, each = RankCounter(case.true), RankCounter(case.true)
    shared = case.scores[0]
    for start in range(0, len(shared), chunk):
        one.add_shared(shared[start : start + chunk], rows=slice(None))
    each.add(np.tile(shared, (len(case.true), 1)))
    assert rows_of(one.ranks()) == rows_of(each.ranks())


@given(cases())
def test_answers_are_ranked_among_what_is_not_known(case: Case) -> None:
    known = case.excluded.copy()
    known[np.arange(len(known)), case.answers] = True
    before = known.copy()
    filtered = Ranks.from_answers(case.answers, case.scores, known=known)
    assert rows_of(filtered) == rows_of(case.ranks())
    assert (known == before).all()
    raw = Ranks.from_answers(case.answers, case.scores)
    assert rows_of(raw) == rows_of(case._replace(excluded=np.zeros_like(known)).ranks())


def test_ranks_are_those_of_pykeen() -> None:
    """Numbers that PyKEEN computed of the same scores (tests/kgbert/make_pykeen_golden.py)."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    case = planted(seed=golden["seed"])
    ranks = case.ranks()
    assert (ranks.optimistic != ranks.pessimistic).sum() > 15
    assert case.excluded.sum() > 150
    for name in ("optimistic", "realistic", "pessimistic", "candidates"):
        assert getattr(ranks, name).tolist() == golden["ranks"][name]


def planted(*, seed: int) -> Case:
    """Make 60 queries over 40 candidates with ties and filters, the same ones in every process."""
    generator = np.random.Generator(np.random.PCG64(seed))
    scores = generator.integers(-40, 40, (60, 40)).astype(np.float32) / 16
    answers = generator.integers(0, 40, 60)
    excluded = generator.integers(0, 8, (60, 40)) == 0
    excluded[np.arange(60), answers] = False
    return Case(scores, answers, excluded)


def test_pykeen_agrees_on_many_random_scores() -> None:
    pykeen = pytest.importorskip("pykeen.evaluation.ranks")
    import torch

    for seed in range(50):
        case = planted(seed=seed)
        filtered = torch.from_numpy(np.where(case.excluded, np.nan, case.scores))
        theirs = pykeen.Ranks.from_scores(torch.from_numpy(case.true)[:, None], filtered)
        ours = case.ranks()
        assert ours.optimistic.tolist() == theirs.optimistic.tolist()
        assert ours.realistic.tolist() == theirs.realistic.tolist()
        assert ours.pessimistic.tolist() == theirs.pessimistic.tolist()
        assert ours.candidates.tolist() == theirs.number_of_options.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused(bad: float) -> None:
    scores = np.array([[0.5, 1.0, bad]])
    with pytest.raises(ValueError, match="a score is not a finite number"):
        Ranks.from_scores(np.array([0.5]), scores)
    with pytest.raises(ValueError, match="a true score is not a finite number"):
        RankCounter(np.array([bad]))
    with pytest.raises(ValueError, match="a score is not a finite number"):
        RankCounter(np.array([0.5])).add_shared(scores[0], rows=slice(None))


def test_a_true_score_that_is_not_there_is_refused() -> None:
    scores = np.array([[0.5, 1.0], [0.5, 1.0]])
    with pytest.raises(ValueError, match="row 1: the true score is not among its scores"):
        Ranks.from_scores(np.array([0.5, 0.7]), scores)
    with pytest.raises(ValueError, match="row 0: the true score is not among its scores"):
        Ranks.from_scores(np.array([0.5, 1.0]), scores, excluded=scores == 0.5)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 2 rows"):
        Ranks.from_scores(np.array([0.5, 0.7]), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="expected"):
        RankCounter(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="different true scores"):
        RankCounter(np.zeros(2)).merge(RankCounter(np.ones(2)))


def test_some_of_the_queries_can_be_chosen() -> None:
    ranks = planted(seed=1).ranks()
    chosen = ranks.select(np.array([5, 2]))
    assert rows_of(chosen) == [rows_of(ranks)[5], rows_of(ranks)[2]]
    assert len(ranks.select(ranks.optimistic == 1)) == (ranks.optimistic == 1).sum()
    assert len(ranks) == 60
