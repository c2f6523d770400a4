"""Metrics of classification and tagging, on names of labels.

Accuracy, macro F1, a confusion matrix, and typed span scores: a predicted entity counts if its
type, first and last word are those of a gold entity. Spans are read from tags as seqeval 1.2.2
reads them by default (`mode=None`), which is conlleval's lenient reading: any tag sequence has
spans, also an `I-` without a `B-` before it. The only file that knows scikit-learn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kbert.examples import split_tag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Span(NamedTuple):
    """An entity: its type and the half-open range of its words."""

    type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TypeScores:
    """Scores of one entity type; `support` is the number of gold entities."""

    type: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class SpanScores:
    """Micro-averaged scores over all entities, and those of each type in alphabetical order."""

    precision: float
    recall: float
    f1: float
    support: int
    per_type: tuple[TypeScores, ...]


def accuracy(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the share of examples with the right label. Raises `ValueError` if there are none."""
    _check_lengths(gold, predicted)
    return sum(g == p for g, p in zip(gold, predicted, strict=True)) / len(gold)


def macro_f1(gold: Sequence[str], predicted: Sequence[str], *, labels: Sequence[str]) -> float:
    """Return the unweighted mean of the F1 scores of the labels, scikit-learn's `average="macro"`.

    A label counts if it occurs in `gold` or in `predicted`; one that is only known to the model
    does not, and one that is never right scores 0. Raises `ValueError` for a label that is not
    among `labels`, and if there are no examples.
    """
    from sklearn.metrics import f1_score

    _check_lengths(gold, predicted)
    _check_known({*gold, *predicted}, labels=labels)
    occurring = [label for label in labels if label in {*gold, *predicted}]
    score = f1_score(
        list(gold), list(predicted), labels=occurring, average="macro", zero_division=0
    )
    return float(score)


def confusion(
    gold: Sequence[str], predicted: Sequence[str], *, labels: Sequence[str]
) -> NDArray[np.int64]:
    """Return the (labels, labels) counts: a row for each gold label, a column for each predicted.

    Raises `ValueError` for a label that is not among `labels`.
    """
    import numpy as np

    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels, but {len(predicted)} predicted")
    _check_known({*gold, *predicted}, labels=labels)
    index = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for g, p in zip(gold, predicted, strict=True):
        counts[index[g], index[p]] += 1
    return counts


def spans(tags: Sequence[str]) -> list[Span]:
    """Return the entities of one sentence's BIO or BIOES tags, from left to right.

    An entity begins at `B` and `S`, after `O`, `E` and `S`, and where the type changes; it goes on
    until the next one begins or an `O` comes (seqeval 1.2.2, `get_entities`; its last word is our
    `end - 1`). Raises `ValueError` for a tag of another form.
    """
    found: list[Span] = []
    start, before, kind = 0, "O", ""
    for position, tag in enumerate((*tags, "O")):
        prefix, type_ = split_tag(tag)
        begins = prefix != "O" and (prefix in "BS" or before in "OES" or type_ != kind)
        if before != "O" and (prefix == "O" or begins):
            found.append(Span(kind, start, position))
        if begins:
            start = position
        before, kind = prefix, type_
    return found


def span_scores(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> SpanScores:
    """Score predicted tags against gold tags, a sequence for each sentence.

    Equal to seqeval 1.2.2 with `mode=None`, `average="micro"` and `zero_division=0`. Where words
    were cut off, fill the prediction up with "O", so that their entities count as missed. Raises
    `ValueError` if the numbers of sentences or of a sentence's tags differ, or there are none.
    """
    _check_lengths(gold, predicted)
    wanted: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(predicted_tags):
            counts = f"{len(gold_tags)} gold tags, but {len(predicted_tags)} predicted"
            raise ValueError(f"sentence {number} has {counts}")
        gold_spans, predicted_spans = spans(gold_tags), spans(predicted_tags)
        wanted.update(span.type for span in gold_spans)
        guessed.update(span.type for span in predicted_spans)
        right.update(span.type for span in set(gold_spans).intersection(predicted_spans))
    total = _ratios(right.total(), guessed=guessed.total(), wanted=wanted.total())
    per_type = tuple(
        TypeScores(name, *_ratios(right[name], guessed=guessed[name], wanted=wanted[name]))
        for name in sorted({*wanted, *guessed})
    )
    return SpanScores(*total, per_type)


def _ratios(right: int, *, guessed: int, wanted: int) -> tuple[float, float, float, int]:
    """Return precision, recall, F1 and support; a ratio of nothing to nothing is 0."""
    precision = right / guessed if guessed else 0.0
    recall = right / wanted if wanted else 0.0
    f1 = 2 * right / (guessed + wanted) if right else 0.0
    return precision, recall, f1, wanted


def _check_lengths(gold: Sequence[object], predicted: Sequence[object]) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold examples, but {len(predicted)} predicted")
    if not gold:
        raise ValueError("there is nothing to score: no examples")


def _check_known(occurring: set[str], *, labels: Sequence[str]) -> None:
    unknown = sorted(occurring.difference(labels))
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is not among {tuple(labels)}")
