"""A trained model that is asked: from questions and contexts to answers with their likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from graphs import Triple
from kbert.answers.search import Found, Span, rank
from kbert.answers.task import Answering, words_of
from kbert.batch import Batch, plan_batches
from kbert.errors import DataError
from kbert.logits import logits_of

if TYPE_CHECKING:
    from torch import nn

    from kbert.inject import Injector
    from kbert.tree import SentenceTree

_CHUNK = 256  # questions whose windows are batched together by length


@dataclass(frozen=True, slots=True)
class Answer:
    """A half-open character span of the context, its text, and its probability."""

    start: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model says of one question: `answer` is None if it finds none in the context.

    `best` are the likeliest spans, best first, and `null` is the probability of no answer (0 for a
    model that always answers); together they are 1. `facts` are the triples that were injected
    into any window, `omitted` counts those that did not fit into one, `cut` the tokens by which the
    question was too long.
    """

    question: str
    context: str
    answer: Answer | None
    best: tuple[Answer, ...]
    null: float
    facts: tuple[Triple, ...]
    omitted: int
    cut: int


class Asker:
    """Answer questions with a network."""

    def __init__(
        self, network: nn.Module, *, inject: Injector, task: Answering, batch_tokens: int
    ) -> None:
        """Bind the parts of a model; a batch has at most `batch_tokens` tokens."""
        self._network = network
        self._inject = inject
        self._task = task
        self._batch_tokens = batch_tokens

    def ask(
        self, questions: Sequence[str], contexts: Sequence[str], *, places: Sequence[str]
    ) -> list[Answered]:
        """Answer each question, in input order.

        Raises `DataError` for a text without tokens, `RunError` for weights that diverged.
        """
        answered = []
        for start in range(0, len(questions), _CHUNK):
            numbers = range(start, min(start + _CHUNK, len(questions)))
            groups = [self._trees(questions[n], contexts[n], place=places[n]) for n in numbers]
            trees = [tree for group in groups for tree in group]
            found = iter(self._found(trees))
            answered += [self._answered(group, [next(found) for _ in group]) for group in groups]
        return answered

    def _trees(self, question: str, context: str, *, place: str) -> list[SentenceTree]:
        try:
            return self._task.trees(question, context, self._inject)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None

    @torch.inference_mode()
    def _found(self, trees: Sequence[SentenceTree]) -> list[Found]:
        found: dict[int, Found] = {}
        device = next(self._network.parameters()).device
        lengths = [len(tree) for tree in trees]
        for examples in plan_batches(lengths, max_tokens=self._batch_tokens, seed=None):
            chosen = [trees[example] for example in examples]
            batch = Batch.from_trees(chosen, pad_id=self._inject.tokenizer.pad_id).to(device)
            logits = logits_of(self._network, batch)
            answers = self._task.decode(logits, [words_of(tree) for tree in chosen])
            found.update(zip(examples, answers, strict=True))
        return [found[example] for example in range(len(trees))]

    def _answered(self, trees: Sequence[SentenceTree], found: Sequence[Found]) -> Answered:
        words = [words_of(tree)[1:] for tree in trees]
        windows = [
            (each, np.array(tree.starts, np.int32)[tokens], np.array(tree.ends, np.int32)[tokens])
            for each, tree, tokens in zip(found, trees, words, strict=True)
        ]
        question, context = trees[0].text, trees[0].pair or ""
        task = self._task
        ranked = rank(windows, count=task.best_answers)
        answers_always = task.threshold is None
        totals = [] if answers_always else [ranked.null]
        shares = _shares([*(span.score for span in ranked.spans), *totals])
        best = tuple(map(_answer, [context] * len(shares), ranked.spans, shares))
        facts = (
            Triple(node.entity, *branch.fact)
            for tree in trees
            for node in tree.nodes
            for branch in node.branches
        )
        return Answered(
            question=question,
            context=context,
            answer=None if ranked.choose(task.threshold) is None else best[0],
            best=best,
            null=0.0 if answers_always else shares[-1],
            facts=tuple(dict.fromkeys(facts)),
            omitted=sum(tree.omitted for tree in trees),
            cut=trees[0].cut,
        )


def _answer(context: str, span: Span, share: float) -> Answer:
    return Answer(span.start, span.end, context[span.start : span.end], share)


def _shares(scores: Sequence[float]) -> list[float]:
    """Return the softmax of scores."""
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    return [weight / sum(weights) for weight in weights]
