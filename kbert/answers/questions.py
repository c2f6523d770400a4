"""A question about a text, and the answers that people gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kbert.tree import NOWHERE


class Gold(NamedTuple):
    """An answer and the character where it starts in the context; `NOWHERE` if not there."""

    text: str
    start: int

    @property
    def stands(self) -> bool:
        """Whether the answer is a span of its context, so that it can be learnt."""
        return self.start != NOWHERE


@dataclass(frozen=True, slots=True)
class QuestionExample:
    """One question; without `answers` the context does not answer it. `place` is for messages."""

    id: str
    question: str
    context: str
    answers: tuple[Gold, ...]
    place: str

    @property
    def span(self) -> tuple[int, int] | None:
        """The half-open character span of the first answer that stands in the context."""
        gold = next((answer for answer in self.answers if answer.stands), None)
        return None if gold is None else (gold.start, gold.start + len(gold.text))
