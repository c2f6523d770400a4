"""What a run does on its test set: intervals of the figures, confusions, and the worst mistakes.

The test set is predicted again with the weights, graph and settings of the run, so an old run is
examined as well as a new one. Of a very long test set evenly spaced examples are taken. A mistake
is the worse the surer the model was of it: the probability of what it said less that of the right
label. In tagging it is the number of entities that were missed or made up, in answering 1 - F1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from kbert import metrics
from kbert.run import RunRecord
from kbert.run_pages.intervals import Estimate, estimate, macro_f1, ratio, span_f1

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.answers.questions import QuestionExample
    from kbert.examples import TaggedExample, TextExample
    from kbert.model import Model
    from kbert.tree import SentenceTree

MOST: Final = 5_000
WORST: Final = 8


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong prediction: the text, what was right, what was said, how bad it is, and its tree.

    `pieces` are the texts of the tree's tokens.
    """

    text: str
    pair: str | None
    right: str
    said: str
    badness: float
    place: str
    tree: SentenceTree | None = None
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a run does on `examples` of the `possible` ones of its test set.

    `counts` (C, C) has a row for each right label and a column for each that was said, if there is
    one label an example; `types` are the scores of each entity type in tagging.
    """

    examples: int
    possible: int
    estimates: dict[str, Estimate]
    wrong: int
    worst: tuple[Wrong, ...]
    labels: tuple[str, ...] = ()
    counts: NDArray[np.int64] | None = None
    types: tuple[metrics.TypeScores, ...] = field(default=())


def examine(folder: Path, *, device: str = "cpu") -> Tested | None:
    """Predict the test set of a run of `kbert.train`; None where it has none.

    What reading the data and the graph has to say was said by training.

    Raises `KbertError` and `GraphError` where data, graph or weights cannot be read.
    """
    from kbert.builder import load_data
    from kbert.model import load

    record = RunRecord.read(folder)
    examples: Sequence[Any] = load_data(record.settings, say=lambda line: None).test
    if not examples:
        return None
    model = load(folder, device=device)
    places = np.linspace(0, len(examples) - 1, min(MOST, len(examples))).round().astype(int)
    chosen = [examples[place] for place in places.tolist()]
    if record.task == "qa":
        return _answers(model, cast("list[QuestionExample]", chosen), possible=len(examples))
    if record.task == "tagging":
        return _tags(model, cast("list[TaggedExample]", chosen), possible=len(examples))
    return _labels(model, cast("list[TextExample]", chosen), possible=len(examples))


def _labels(model: Model, examples: Sequence[TextExample], *, possible: int) -> Tested:
    pairs = [each.pair or "" for each in examples] if model.kind == "pair" else None
    found = model.predict(
        [each.text for each in examples], pairs, places=[each.place for each in examples]
    )
    right = [each.label or "" for each in examples]
    said = [each.label or "" for each in found]
    counts = metrics.confusion(right, said, labels=model.labels)
    wrong = [
        Wrong(
            text=example.text,
            pair=example.pair,
            right=own,
            said=given,
            badness=each.probabilities[given] - each.probabilities[own],
            place=example.place,
        )
        for example, each, own, given in zip(examples, found, right, said, strict=True)
        if own != given
    ]
    return Tested(
        examples=len(examples),
        possible=possible,
        estimates=_label_estimates(counts),
        wrong=len(wrong),
        worst=_worst(model, wrong),
        labels=model.labels,
        counts=counts,
    )


def _label_estimates(counts: NDArray[np.int64]) -> dict[str, Estimate]:
    """Estimate accuracy and macro F1 from a confusion matrix: its cells are drawn."""
    labels = len(counts)
    rows, columns = np.nonzero(counts)
    eye = np.eye(labels)
    hit = rows == columns
    cells = np.concatenate([eye[rows] * hit[:, None], eye[rows], eye[columns]], axis=1)
    sums = np.stack([hit, np.ones(len(rows))], axis=1)
    times = counts[rows, columns]
    return {
        "accuracy": estimate(sums, ratio(0, 1), times=times),
        "macro_f1": estimate(cells, macro_f1(labels), times=times),
    }


def _tags(model: Model, examples: Sequence[TaggedExample], *, possible: int) -> Tested:
    found = model.predict(
        [each.words for each in examples], places=[each.place for each in examples]
    )
    right = [each.tags or () for each in examples]
    said = [each.tags for each in found]
    counts, wrong = [], []
    for example, each, own, given in zip(examples, found, right, said, strict=True):
        wanted, guessed = metrics.spans(own), metrics.spans(given)
        hits = len({*wanted} & {*guessed})
        counts.append((hits, len(wanted), len(guessed)))
        if bad := len(wanted) + len(guessed) - 2 * hits:
            wrong.append(
                Wrong(each.text, None, _named(example, wanted), _named(example, guessed), bad,
                      example.place)
            )  # fmt: skip
    sums = np.array(counts)
    return Tested(
        examples=len(examples),
        possible=possible,
        estimates={
            "f1": estimate(sums, span_f1),
            "precision": estimate(sums, ratio(0, 2)),
            "recall": estimate(sums, ratio(0, 1)),
        },
        wrong=len(wrong),
        worst=_worst(model, wrong),
        types=metrics.span_scores(right, said).per_type,
    )


def _named(example: TaggedExample, spans: Sequence[metrics.Span]) -> str:
    """Write entities as `type: words`, one after the other."""
    return "; ".join(
        f"{span.type}: {' '.join(example.words[span.start : span.end])}" for span in spans
    )


def _answers(model: Model, examples: Sequence[QuestionExample], *, possible: int) -> Tested:
    from kbert.answers.scoring import score
    from kbert.answers.task import Answering

    assert isinstance(model.task, Answering)
    found = model.answer(
        [each.question for each in examples],
        [each.context for each in examples],
        places=[each.place for each in examples],
    )
    sums, wrong = [], []
    for example, each in zip(examples, found, strict=True):
        golds = [gold.text for gold in example.answers]
        given = "" if each.answer is None else each.answer.text
        scores = score(golds, given, unit=model.task.unit)
        sums.append((scores.f1, scores.exact, 1))
        if scores.exact < 1:
            right = " / ".join(dict.fromkeys(golds)) or "(no answer)"
            wrong.append(
                Wrong(example.question, example.context, right, given or "(no answer)",
                      1 - scores.f1, example.place)
            )  # fmt: skip
    counts = np.array(sums)
    return Tested(
        examples=len(examples),
        possible=possible,
        estimates={
            "f1": estimate(counts, ratio(0, 2)),
            "exact_match": estimate(counts, ratio(1, 2)),
        },
        wrong=len(wrong),
        worst=tuple(sorted(wrong, key=lambda each: -each.badness)[:WORST]),
    )


def _worst(model: Model, wrong: Sequence[Wrong]) -> tuple[Wrong, ...]:
    """Return the worst, those that are equally bad in order of the data, with their trees."""
    from dataclasses import replace

    chosen = sorted(wrong, key=lambda each: -each.badness)[:WORST]
    trees = [model.inject(each.text, each.pair) for each in chosen]
    piece = model.inject.tokenizer.piece
    return tuple(
        replace(each, tree=tree, pieces=tuple(map(piece, tree.token_ids)))
        for each, tree in zip(chosen, trees, strict=True)
    )
