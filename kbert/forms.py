"""The four forms of fine-tuning: from settings to the task, from an example to what it encodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from kbert.answers.questions import QuestionExample
from kbert.answers.task import OUTPUTS, Answering
from kbert.data import label_names
from kbert.examples import Splits, TaggedExample, TextExample
from kbert.inject import Injector
from kbert.settings import TrainSettings
from kbert.tasks import Classification, Encoded, Tagging, make_task

Form: TypeAlias = Classification | Tagging | Answering


def labels_of(
    splits: Splits[TextExample] | Splits[TaggedExample] | Splits[QuestionExample],
) -> tuple[str, ...]:
    """Name what the outputs of a network stand for: labels, or start and end of an answer.

    Raises `DataError` for labels that training does not have.
    """
    if isinstance(splits.train[0], QuestionExample):
        return OUTPUTS
    return label_names(splits)


def task_of(settings: TrainSettings, labels: Sequence[str]) -> Form:
    """Make the task that settings describe."""
    if settings.task != "qa":
        return make_task(settings.task, labels)
    return Answering(
        length=settings.max_length if settings.window is None else settings.window,
        stride=settings.stride,
        max_question=settings.max_question,
        max_answer=settings.max_answer,
        best_answers=settings.best_answers,
        unit=settings.answer_units,
        threshold=settings.null_threshold if settings.null_answers else None,
    )


def encodings(
    task: Form, example: TextExample | TaggedExample | QuestionExample, inject: Injector
) -> Sequence[Encoded]:
    """Encode an example: a text is one, a question one for each window of its context."""
    if isinstance(task, Answering):
        assert isinstance(example, QuestionExample)
        return task.windows(example, inject)
    assert not isinstance(example, QuestionExample)
    return [task.encode(example, inject)]
