"""Bootstrap intervals: the figure itself, and the interval against draws by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbert.metrics import accuracy, confusion, macro_f1, span_scores
from kbert.run_pages.intervals import estimate, ratio, span_f1
from kbert.run_pages.mistakes import _label_estimates

LABELS = ("a", "b", "c", "never")


@settings(max_examples=20)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30
    )
)
def test_figures_of_labels_are_those_of_metrics(pairs: list[tuple[str, str]]) -> None:
    gold, said = zip(*pairs, strict=True)
    found = _label_estimates(confusion(gold, said, labels=LABELS))
    assert found["accuracy"].value == pytest.approx(accuracy(gold, said))
    assert found["macro_f1"].value == pytest.approx(macro_f1(gold, said, labels=LABELS))
    for each in found.values():
        assert 0 <= each.low <= each.high <= 1


def test_intervals_of_labels_are_those_of_draws_by_hand() -> None:
    generator = np.random.default_rng(5)
    gold = generator.choice(list("abc"), 200)
    said = np.where(generator.random(200) < 0.6, gold, generator.choice(list("abc"), 200))
    found = _label_estimates(confusion(gold.tolist(), said.tolist(), labels=LABELS))
    drawn = []
    for _ in range(2_000):
        rows = generator.integers(0, 200, 200)
        mine, theirs = gold[rows], said[rows]
        hits = mine == theirs
        f1 = [2 * hits[mine == x].sum() / ((mine == x).sum() + (theirs == x).sum()) for x in "abc"]
        drawn.append((hits.mean(), np.mean(f1)))
    for column, name in enumerate(("accuracy", "macro_f1")):
        low, high = np.quantile(np.array(drawn)[:, column], [0.025, 0.975])
        assert found[name].low == pytest.approx(low, abs=0.015)
        assert found[name].high == pytest.approx(high, abs=0.015)


def test_spans_enter_through_their_counts() -> None:
    gold = [["B-X", "O"], ["O", "B-Y"], ["B-X", "I-X"]]
    said = [["B-X", "O"], ["B-Y", "O"], ["O", "O"]]
    scores = span_scores(gold, said)
    counts = np.array([[1, 1, 1], [0, 1, 1], [0, 1, 0]])  # right, wanted, given
    assert estimate(counts, span_f1).value == pytest.approx(scores.f1)
    assert estimate(counts, ratio(0, 2)).value == pytest.approx(scores.precision)
    assert estimate(counts, ratio(0, 1)).value == pytest.approx(scores.recall)


def test_times_say_how_often_and_seeds_repeat() -> None:
    once = np.array([[1, 1], [0, 1]])
    each = estimate(once, ratio(0, 1), times=np.array([30, 10]))
    assert each.value == 0.75 and each == estimate(once, ratio(0, 1), times=np.array([30, 10]))
    assert each != estimate(once, ratio(0, 1), times=np.array([30, 10]), seed=1)
    assert estimate(np.array([[0, 0]]), ratio(0, 1)) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="no examples"):
        estimate(np.zeros((0, 2)), ratio(0, 1))
