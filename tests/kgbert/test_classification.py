"""Figures of classification against definitions written out, and thresholds against all cuts."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from kgbert.classification import calibration_error, classification_metrics
from kgbert.thresholds import Thresholds, best_threshold

Labelled = tuple[NDArray[np.int8], NDArray[np.float64]]


@st.composite
def labelled(draw: st.DrawFn) -> Labelled:
    rows = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=1, max_size=25))
    labels, steps = np.array(rows).T
    return labels.astype(np.int8), steps / 8


@given(labelled())
def test_figures_are_those_of_their_definitions(case: Labelled) -> None:
    labels, probabilities = case
    found = classification_metrics(labels, probabilities)
    pairs = list(zip(labels.tolist(), probabilities.tolist(), strict=True))
    right = [(p >= 0.5) == bool(y) for y, p in pairs]
    assert found.accuracy == pytest.approx(sum(right) / len(right))
    hits = sum(p >= 0.5 and y for y, p in pairs)
    called, wanted = sum(p >= 0.5 for _, p in pairs), sum(y for y, _ in pairs)
    assert found.f1 == pytest.approx(2 * hits / (called + wanted) if hits else 0.0)
    assert found.brier == pytest.approx(sum((p - y) ** 2 for y, p in pairs) / len(pairs))
    true, false = ([p for y, p in pairs if y == label] for label in (1, 0))
    if not true or not false:
        assert found.roc_auc is None and found.average_precision is None
        return
    wins = [(t > f) + (t == f) / 2 for t, f in itertools.product(true, false)]
    assert found.roc_auc == pytest.approx(sum(wins) / len(wins))
    precision, before = 0.0, 0
    for cut in sorted(set(probabilities.tolist()), reverse=True):
        above = [y for y, p in pairs if p >= cut]
        precision += (sum(above) - before) / wanted * sum(above) / len(above)
        before = sum(above)
    assert found.average_precision == pytest.approx(precision)


def test_the_calibration_error_is_the_gap_of_the_reliability_diagram() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.random(4000)
    labels = (generator.random(4000) < probabilities**2).astype(np.int8)
    shares, means = calibration_curve(labels, probabilities, n_bins=10)
    sizes = np.histogram(probabilities, bins=10, range=(0, 1))[0]
    expected = float((np.abs(shares - means) * sizes).sum() / 4000)
    assert calibration_error(labels, probabilities, bins=10) == pytest.approx(expected, rel=1e-6)
    assert expected > 0.1
    fair = (generator.random(4000) < probabilities).astype(np.int8)
    assert calibration_error(fair, probabilities) < 0.04
    assert calibration_error(np.array([1, 0]), np.array([1.0, 0.0])) == 0.0


def test_decisions_may_come_from_thresholds() -> None:
    labels, probabilities = np.array([1, 0, 1]), np.array([0.2, 0.1, 0.3])
    decisions = np.array([True, False, True])
    assert classification_metrics(labels, probabilities).accuracy == pytest.approx(1 / 3)
    assert classification_metrics(labels, probabilities, decisions=decisions).f1 == 1.0


@pytest.mark.parametrize(
    ("labels", "probabilities", "said"),
    [
        ([], [], "and some"),
        ([1, 0], [0.5], "equally many"),
        ([1, 2], [0.5, 0.5], "neither 0 nor 1"),
        ([1, 0], [0.5, 1.5], "not between 0 and 1"),
        ([1, 0], [0.5, np.nan], "not between 0 and 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    labels: list[int], probabilities: list[float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        classification_metrics(np.array(labels), np.array(probabilities))


@given(labelled(), st.sampled_from([0.0, 0.5, 2.0]))
def test_no_threshold_is_better_than_the_best(case: Labelled, neutral: float) -> None:
    labels, scores = case
    cut = best_threshold(scores, labels, neutral=neutral)

    def right(threshold: float) -> int:
        return sum((s >= threshold) == bool(y) for y, s in zip(labels, scores, strict=True))

    tried = [*(scores - 1e-3), *(scores + 1e-3), neutral]
    assert right(cut) == max(map(right, tried))
    if right(neutral) == right(cut):
        assert cut == neutral


@given(st.lists(st.booleans(), min_size=2, max_size=2))
def test_neighbouring_floats_can_be_told_apart(labels: list[bool]) -> None:
    scores = np.array([1.0, np.nextafter(1.0, 2.0)])
    truth = np.array(labels).astype(np.int8)
    cut = best_threshold(scores, truth, neutral=0.5)
    assert ((scores >= cut) == (truth == 1)).sum() == (1 if labels == [True, False] else 2)


def test_each_relation_has_its_own_threshold_where_it_can() -> None:
    relations = np.array([3, 3, 3, 3, 5, 5, 5, 5, 8, 9, 9])
    scores = np.array([1.0, 2.0, 3.0, 4.0, -4.0, -3.0, -2.0, -1.0, 7.0, 0.0, 9.0])
    labels = np.array([0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0])
    found = Thresholds.fit(scores, labels, relations=relations, neutral=0.0)
    assert found.of_relation == {3: 2.5, 5: -3.5}
    assert found.of(np.array([3, 8, 5, 77])).tolist() == [2.5, found.overall, -3.5, found.overall]
    decided = found.decide(scores, relations=relations)
    assert (decided[:8] == (labels[:8] == 1)).all()
    overall = scores >= found.overall
    assert (overall == (labels == 1)).sum() < (decided == (labels == 1)).sum()
    stored = json.loads(json.dumps(found.to_mapping()))
    assert Thresholds.from_mapping(stored) == found


def test_thresholds_need_scores() -> None:
    with pytest.raises(ValueError, match="and some"):
        best_threshold(np.array([]), np.array([]), neutral=0.5)
    with pytest.raises(ValueError, match="not a finite number"):
        best_threshold(np.array([np.nan]), np.array([1]), neutral=0.5)
