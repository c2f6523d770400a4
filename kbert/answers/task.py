"""Answers as a task: windows of a context in, spans out (Devlin et al. 2019, section 4.2 and 4.3).

A window is `[CLS] question [SEP] part of the context [SEP]`; its words, as `Encoded.words` has
them, are its first token, which stands for "no answer here", and the trunk tokens of the context.
So a branch is never an answer, and a span reaches over the facts that stand within it. Where the
answer is not in a window as a whole, the window has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kbert.answers.scoring import Scores, Unit, best_threshold, score
from kbert.answers.search import Found, Ranked, best_spans, rank
from kbert.errors import DataError
from kbert.tasks import IGNORED, Encoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.answers.questions import QuestionExample
    from kbert.inject import Injector
    from kbert.nn import Encoder, SpanFinder
    from kbert.tree import SentenceTree

OUTPUTS: Final = ("start", "end")
_CONTEXT: Final = 1  # the segment of the context


class Window(NamedTuple):
    """What a window is trained on: the words, in `Encoded.words`, of the answer's start and end.

    0 and 0 say that there is none in it, `IGNORED` that nobody knows. `starts` and `ends` are the
    character spans in the context of the words from the second on.
    """

    start: int
    end: int
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    question: QuestionExample


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Find answers in texts. Without `threshold` each question has one.

    `length`, `stride` and `max_question` cut windows (`Injector.windows`); answers are at most
    `max_answer` tokens long; `best_answers` spans of each window and question are compared.
    """

    length: int
    stride: int
    max_question: int
    max_answer: int
    best_answers: int
    unit: Unit
    threshold: float | None
    main: ClassVar[str] = "f1"

    @property
    def labels(self) -> tuple[str, ...]:
        """What the network's outputs say of each token."""
        return OUTPUTS

    def windows(self, example: QuestionExample, inject: Injector) -> list[Encoded]:
        """Inject facts into question and context, and find the answer in each window.

        Raises `DataError` with the example's place for a text without any token.
        """
        try:
            trees = self.trees(example.question, example.context, inject)
        except DataError as error:
            raise DataError(f"{example.place}: {error}") from None
        return [self._window(tree, example) for tree in trees]

    def trees(self, question: str, context: str, inject: Injector) -> list[SentenceTree]:
        """Cut a context into windows that go with the question."""
        return inject.windows(
            question,
            context,
            length=self.length,
            stride=self.stride,
            max_text=self.max_question,
        )

    def _window(self, tree: SentenceTree, example: QuestionExample) -> Encoded:
        words = words_of(tree)
        starts = np.array(tree.starts, dtype=np.int32)[words[1:]]
        ends = np.array(tree.ends, dtype=np.int32)[words[1:]]
        target = Window(*_target(example, starts, ends), starts, ends, example)
        facts = sum(len(node.branches) for node in tree.nodes)
        return Encoded(tree.array(), target, words, facts, tree.omitted, tree.cut)

    def head(self, encoder: Encoder, *, dropout: float, generator: torch.Generator) -> SpanFinder:
        """Put a linear layer on each token; `dropout` is the encoder's alone, as in BERT."""
        from kbert.nn import SpanFinder

        return SpanFinder(encoder, generator=generator)

    def targets(self, encoded: Sequence[Encoded], *, length: int) -> Tensor:
        """Stack the tokens where answers start and end. *Shape:* (B, 2)."""
        targets = np.full((len(encoded), 2), IGNORED, dtype=np.int64)
        for row, example in enumerate(encoded):
            start, end = example.target[:2]
            if start != IGNORED:
                targets[row] = example.words[[start, end]]
        return torch.from_numpy(targets)

    def decode(self, logits: Tensor, words: Sequence[NDArray[np.int32]]) -> list[Found]:
        """Find the best spans of each window. *Shape:* logits (B, 2, L)."""
        least = torch.finfo(torch.float32).min
        values = logits.float().nan_to_num(least, posinf=-least, neginf=least).cpu().numpy()
        found = []
        for row, tokens in enumerate(words):
            starts, ends = values[row][:, tokens].astype(np.float64)
            spans = best_spans(
                starts[1:], ends[1:], longest=self.max_answer, count=self.best_answers
            )
            found.append(Found(float(starts[0] + ends[0]), spans))
        return found

    def score(self, gold: Sequence[Window], predicted: Sequence[Found]) -> dict[str, float]:
        """Join the windows of each question, and return the means of exact match and F1, 0 to 1.

        Where questions may have no answer these come also for those with an answer and those
        without (0 if there are none), and the best F1 that another threshold would have given.
        """
        questions = self._ranked(gold, predicted)
        results = [self._scores(example, ranked) for example, ranked in questions]
        scores = _means("", results)
        if self.threshold is None:
            return scores
        for name, wanted in (("answerable_", True), ("unanswerable_", False)):
            pairs = zip(questions, results, strict=True)
            kept = [each for (example, _), each in pairs if bool(example.answers) == wanted]
            scores |= _means(name, kept)
        best = best_threshold(
            [ranked.lead for _, ranked in questions],
            [self._given(example, ranked.spans[0]).f1 for example, ranked in questions],
            [float(not example.answers) for example, _ in questions],
        )
        return scores | {"best_threshold": best.value, "best_threshold_f1": best.f1}

    def _ranked(
        self, gold: Sequence[Window], predicted: Sequence[Found]
    ) -> list[tuple[QuestionExample, Ranked]]:
        """Put the windows of each question together, in the order of the questions."""
        groups: dict[int, list[tuple[Window, Found]]] = {}
        for window, found in zip(gold, predicted, strict=True):
            groups.setdefault(id(window.question), []).append((window, found))
        return [
            (
                group[0][0].question,
                rank(
                    ((found, window.starts, window.ends) for window, found in group),
                    count=self.best_answers,
                ),
            )
            for group in groups.values()
        ]

    def _scores(self, example: QuestionExample, ranked: Ranked) -> Scores:
        return self._given(example, ranked.choose(self.threshold))

    def _given(self, example: QuestionExample, span: tuple[int, int, float] | None) -> Scores:
        given = "" if span is None else example.context[span[0] : span[1]]
        return score([answer.text for answer in example.answers], given, unit=self.unit)


def words_of(tree: SentenceTree) -> NDArray[np.int32]:
    """List the tokens that may be answers: the first, for none, and those of the context."""
    places = zip(tree.segments, tree.starts, strict=True)
    inner = (at for at, (segment, start) in enumerate(places) if segment == _CONTEXT and start >= 0)
    return np.array([0, *inner], dtype=np.int32)


def _target(
    example: QuestionExample, starts: NDArray[np.int32], ends: NDArray[np.int32]
) -> tuple[int, int]:
    """Find the words in which the answer starts and ends."""
    if not example.answers:
        return 0, 0
    if example.span is None:
        return IGNORED, IGNORED
    start, end = example.span
    if start < starts[0] or end > ends[-1]:
        return 0, 0
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(starts, end, side="left")) - 1
    return (first + 1, last + 1) if first <= last else (IGNORED, IGNORED)


def _means(name: str, scores: Sequence[Scores]) -> dict[str, float]:
    count = max(1, len(scores))
    return {
        f"{name}f1": sum(each.f1 for each in scores) / count,
        f"{name}exact_match": sum(each.exact for each in scores) / count,
    }
