"""What steps did and what they lost, added up between two lines of the log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from kbert.pretraining.objectives import Losses

if TYPE_CHECKING:
    from kbert.pretraining.steps import Step


@dataclass(slots=True)
class Work:
    """What was done since the last line, in `before` seconds and those since `start`.

    `paused` are the seconds of validations.
    """

    tokens: int = 0
    squares: int = 0
    decoded: int = 0
    slots: int = 0
    before: float = 0.0
    paused: float = 0.0
    start: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, counts: Sequence[int], *, before: float) -> Work:
        """Take counters, as `counts` lists them, and the seconds that they took."""
        tokens, squares, decoded, slots = counts
        return cls(tokens, squares, decoded, slots, before)

    def begin(self) -> None:
        """Begin to count seconds."""
        self.start, self.paused = time.perf_counter(), 0.0

    def counts(self) -> list[int]:
        """List the counters."""
        return [self.tokens, self.squares, self.decoded, self.slots]

    def add(self, step: Step) -> None:
        """Add a step."""
        for part in step:
            self.tokens += part.tokens
            self.squares += part.squares
            self.slots += part.slots
            asked = (part.targets.masked, part.targets.boundary, part.targets.causal)
            self.decoded += sum(len(each.labels) for each in asked if each is not None)

    @property
    def seconds(self) -> float:
        """Seconds of training, without validations."""
        return self.before + time.perf_counter() - self.start - self.paused


class Totals:
    """The losses of steps added up, one by one, so that it never matters when they were read."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.values: list[float] = []

    def add(self, figures: Sequence[float]) -> None:
        """Add the figures of a step: sums, counts and correct ones of each objective."""
        self.values = [
            a + b for a, b in zip(self.values or [0.0] * len(figures), figures, strict=True)
        ]

    def losses(self) -> Losses:
        """Return them as losses."""
        sums, counts, correct = torch.tensor(self.values, dtype=torch.float64).reshape(3, -1)
        return Losses(sums, counts.long(), correct.long())
