"""What is measured on dev equals brute force, never looks at test, and is the same every time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kgbert.data import load_data
from kgbert.scores import scores_of
from kgbert.validation import AccuracyOnDev, RanksOnDev, RelationsOnDev, labelled_dev, sample

DATA = load_data("sample")


class Oracle:
    """Gives logits that are a function of a triple's numbers, with ties."""

    def __init__(self, labels: int = 2) -> None:
        self.labels = labels

    def logits(self, triples: NDArray[np.integer]) -> NDArray[np.float32]:
        mixed = triples.astype(np.int64) @ np.array([7, 13, 29])
        columns = [(mixed * (3 + label) + label) % 11 for label in range(self.labels)]
        return np.stack(columns, axis=1).astype(np.float32)


ORACLE: Any = Oracle()


def test_a_sample_is_always_the_same() -> None:
    assert sample(5, most=None).tolist() == sample(5, most=9).tolist() == [0, 1, 2, 3, 4]
    drawn = sample(1000, most=10)
    assert np.array_equal(drawn, sample(1000, most=10)) and len(set(drawn.tolist())) == 10
    assert (np.diff(drawn) > 0).all() and drawn.max() > 500


@pytest.mark.parametrize("ties", ["optimistic", "realistic", "pessimistic"])
def test_ranks_are_those_of_brute_force(ties: Any) -> None:
    measured = RanksOnDev.draw(DATA, triples=20, candidates=4, score="logit1", ties=ties)
    found, ranks = measured.scores(ORACLE), []
    for true, drawn in zip(measured.true, measured.candidates, strict=True):
        own = scores_of(ORACLE.logits(true[None]), kind="logit1")[0]
        for column in (0, 2):
            side = drawn[drawn[:, column] != true[column]]
            assert len(side) == 4
            others = scores_of(ORACLE.logits(side), kind="logit1")
            better, equal = (others > own).sum(), (others == own).sum()
            share = {"optimistic": 0, "realistic": 0.5, "pessimistic": 1}[ties]
            ranks.append(1 + better + share * equal)
    assert found == {
        "mrr": pytest.approx(np.mean(1 / np.array(ranks))),
        "hits@1": pytest.approx(np.mean(np.array(ranks) <= 1)),
    }
    assert 0.2 < found["mrr"] < 0.9


def test_candidates_are_unknown_to_train_and_dev_and_test_is_not_read() -> None:
    drawn = RanksOnDev.draw(DATA, triples=30, candidates=5, score="difference", ties="realistic")
    flat = drawn.candidates.reshape(-1, 3)
    assert not DATA.filter("train", "valid").contains(flat.T).any()
    blind = dataclasses.replace(DATA, test=DATA.test[:0])
    other = RanksOnDev.draw(blind, triples=30, candidates=5, score="difference", ties="realistic")
    assert np.array_equal(drawn.candidates, other.candidates)
    assert "30 of 54 dev triples, both sides, each among 5 drawn" in drawn.protocol


def test_relations_are_ranked_among_those_that_are_unknown() -> None:
    labels = len(DATA.relations)
    measured = RelationsOnDev.draw(DATA, triples=1000, ties="realistic")
    oracle: Any = Oracle(labels)
    found, known = measured.scores(oracle), DATA.filter("train", "valid")
    ranks = []
    for (head, relation, tail), row in zip(
        measured.true.tolist(), oracle.logits(measured.true), strict=True
    ):
        others = [row[each] for each in range(labels) if each not in known.relations(head, tail)]
        better = sum(score > row[relation] for score in others)
        ranks.append(1 + better + 0.5 * sum(score == row[relation] for score in others))
    assert found["hits@1"] == pytest.approx(np.mean(np.array(ranks) <= 1))
    assert found["mrr"] == pytest.approx(np.mean(1 / np.array(ranks)))
    assert "54 of 54 dev pairs" in measured.protocol


def test_drawn_labels_are_half_true_and_unknown() -> None:
    labelled = labelled_dev(DATA)
    assert labelled is not None and labelled.source == "drawn"
    triples, targets = labelled.examples
    assert np.array_equal(triples[targets == 1], DATA.valid) and targets.mean() == 0.5
    assert not DATA.filter("train", "valid").contains(triples[targets == 0].T).any()
    fewer = labelled_dev(DATA, most=10)
    assert fewer is not None and fewer.examples.targets.tolist() == [1] * 5 + [0] * 5


def test_given_labels_are_taken() -> None:
    labels = (np.arange(len(DATA.valid)) % 3 == 0).astype(np.int8)
    labelled = labelled_dev(dataclasses.replace(DATA, valid_labels=labels))
    assert labelled is not None and labelled.source == "given"
    assert labelled.examples.targets.tolist() == labels.tolist()
    accuracy = AccuracyOnDev(labelled).scores(ORACLE)["accuracy"]
    logits = ORACLE.logits(DATA.valid)
    assert accuracy == np.mean((logits[:, 1] >= logits[:, 0]) == (labels == 1))
    assert 0.2 < accuracy < 0.8


def test_without_dev_there_is_nothing() -> None:
    assert labelled_dev(dataclasses.replace(DATA, valid=DATA.valid[:0])) is None
