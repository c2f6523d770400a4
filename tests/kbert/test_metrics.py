"""Metrics against seqeval's recorded results, scikit-learn's definition and brute force."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbert.metrics import Span, accuracy, confusion, macro_f1, span_scores, spans

SEQEVAL = json.loads((Path(__file__).parent / "data" / "seqeval_default.json").read_text("utf-8"))
LABELS = ("a", "b", "c", "d")

entities = st.lists(
    st.tuples(st.sampled_from(["LOC", "PER"]), st.integers(1, 4), st.integers(0, 2))
)
tags = st.sampled_from(["O", *(f"{p}-{t}" for p in "BIES" for t in ("X", "Y"))])
labels = st.sampled_from(LABELS[:3])


def test_spans_are_those_of_seqeval() -> None:
    assert len(SEQEVAL["readings"]) > 800
    for text, expected in SEQEVAL["readings"]:
        found = [[span.type, span.start, span.end - 1] for span in spans(text.split())]
        assert found == expected, text


@pytest.mark.parametrize("corpus", SEQEVAL["corpora"], ids=range(len(SEQEVAL["corpora"])))
def test_scores_are_those_of_seqeval(corpus: dict[str, Any]) -> None:
    scores = span_scores(
        [text.split() for text in corpus["gold"]], [text.split() for text in corpus["predicted"]]
    )
    for name in ("precision", "recall", "f1"):
        assert getattr(scores, name) == pytest.approx(corpus[name], abs=1e-12)
    types = [[t.type, t.precision, t.recall, t.f1, t.support] for t in scores.per_type]
    assert [row[0] for row in types] == [row[0] for row in corpus["types"]]
    assert [row[4] for row in types] == [row[4] for row in corpus["types"]]
    for ours, theirs in zip(types, corpus["types"], strict=True):
        assert ours[1:4] == pytest.approx(theirs[1:4], abs=1e-12)
    assert scores.support == sum(row[4] for row in types)


@given(entities)
def test_valid_bio_gives_back_what_was_written(written: list[tuple[str, int, int]]) -> None:
    sequence: list[str] = []
    expected: list[Span] = []
    for kind, length, gap in written:
        sequence += ["O"] * gap
        expected.append(Span(kind, len(sequence), len(sequence) + length))
        sequence += [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
    assert spans(sequence) == expected


@given(st.lists(tags))
def test_every_word_with_an_entity_tag_is_in_exactly_one_span(sequence: list[str]) -> None:
    covered = [word for span in spans(sequence) for word in range(span.start, span.end)]
    assert covered == [word for word, tag in enumerate(sequence) if tag != "O"]
    assert all(sequence[word][2:] == s.type for s in spans(sequence) for word in range(*s[1:]))


def test_type_counts() -> None:
    scores = span_scores([["B-PER", "I-PER", "O"]], [["B-LOC", "I-LOC", "O"]])
    assert (scores.precision, scores.recall, scores.f1, scores.support) == (0.0, 0.0, 0.0, 1)
    assert [(t.type, t.support) for t in scores.per_type] == [("LOC", 0), ("PER", 1)]


def test_entities_cut_off_count_as_missed() -> None:
    gold = [["B-X", "O", "B-X", "B-X"]]
    scores = span_scores(gold, [["B-X", "O", "O", "O"]])
    assert (scores.precision, scores.recall, scores.f1) == (1.0, pytest.approx(1 / 3), 0.5)
    with pytest.raises(ValueError, match="sentence 0 has 4 gold tags, but 2 predicted"):
        span_scores(gold, [["B-X", "O"]])
    with pytest.raises(ValueError, match="2 gold tags, but 3"):
        span_scores([["O", "O"]], [["O", "O", "O"]])


def test_entities_do_not_run_into_the_next_sentence() -> None:
    assert span_scores([["B-X"], ["I-X"]], [["B-X"], ["I-X"]]).support == 2


@pytest.mark.parametrize("tag", ["", "X", "B", "B-", "-X", "B_X", "L-X", "o", "O-X", "b-X"])
def test_malformed_tags_are_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="is not a tag"):
        spans(["O", tag])


@settings(deadline=None)  # the first call imports scikit-learn
@given(st.lists(st.tuples(labels, labels), min_size=1))
def test_macro_f1_is_the_mean_over_labels_that_occur(pairs: list[tuple[str, str]]) -> None:
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    scores = []
    for label in sorted({*gold, *predicted}):
        right = sum(g == p == label for g, p in pairs)
        scores.append(2 * right / (gold.count(label) + predicted.count(label)))
    assert macro_f1(gold, predicted, labels=LABELS) == pytest.approx(sum(scores) / len(scores))


@given(st.lists(st.tuples(labels, labels), min_size=1))
def test_confusion_counts_pairs(pairs: list[tuple[str, str]]) -> None:
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    counts = confusion(gold, predicted, labels=LABELS)
    assert counts.tolist() == [[pairs.count((g, p)) for p in LABELS] for g in LABELS]
    assert accuracy(gold, predicted) == pytest.approx(np.trace(counts) / len(pairs))


def test_scores_of_nothing_and_unknown_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="no examples"):
        accuracy([], [])
    with pytest.raises(ValueError, match="no examples"):
        span_scores([], [])
    with pytest.raises(ValueError, match="1 gold examples, but 2"):
        accuracy(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="'e' is not among"):
        macro_f1(["a"], ["e"], labels=LABELS)
    with pytest.raises(ValueError, match="'e' is not among"):
        confusion(["e"], ["a"], labels=LABELS)


def test_scikit_learn_waits_until_it_is_needed() -> None:
    code = "import sys, kbert.metrics; sys.exit('sklearn' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
