"""What the epochs of a training came to, which was the best so far, and how they follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kbert import console

if TYPE_CHECKING:
    from kbert.driver import Place
    from kbert.processes import Processes


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    number: int
    loss: float
    scores: dict[str, float]
    seconds: float


class Epochs:
    """Adds losses up, closes epochs, and has the best weights saved."""

    def __init__(self, *, main: str, total: int, chooses: bool, save: Callable[[], None]) -> None:
        """Choose by the score `main`; or, unless it `chooses`, keep the last of `total` epochs.

        `save` writes the weights as they are when it is called.
        """
        self.closed: list[Epoch] = []
        self.best = -1
        self._main = main
        self._total = total
        self._chooses = chooses
        self._save = save
        self._losses = 0.0
        self._steps = 0
        self._before = 0.0  # seconds of this epoch that other processes took
        self._start = time.perf_counter()

    def begin(self, *, anew: bool) -> None:
        """Begin to measure an epoch, or what is left of it."""
        self._start = time.perf_counter()
        if anew:
            self._losses, self._steps, self._before = 0.0, 0, 0.0

    def add(self, loss: float) -> None:
        """Add the loss of a step. Sums are taken step by step, so it never matters when."""
        self._losses += loss
        self._steps += 1

    def close(self, scores: dict[str, float]) -> None:
        """End an epoch: tell of it, and save its weights if they are the best so far."""
        epoch = Epoch(
            number=len(self.closed) + 1,
            loss=self._losses / self._steps,
            scores=scores,
            seconds=self._elapsed(),
        )
        self.closed.append(epoch)
        before = self.closed[self.best].scores.get(self._main) if self.best >= 0 else None
        # A tie goes to the earlier epoch, but zeros say nothing: then to the longer training.
        if not self._chooses or before is None or scores[self._main] > before or before == 0:
            self.best = len(self.closed) - 1
            self._save()
        told = "".join(f"  dev {k} {v:.4f}" for k, v in scores.items()).replace("_", " ")
        told = f"loss {epoch.loss:.4f}{told}  {epoch.seconds:.1f} s"
        console.say(f"epoch {epoch.number}/{self._total}  {told}")
        self.begin(anew=True)

    def state(self) -> dict[str, Any]:
        """List what a checkpoint holds."""
        return {
            "closed": [asdict(epoch) for epoch in self.closed],
            "best": self.best,
            "losses": self._losses,
            "steps": self._steps,
            "seconds": self._elapsed(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.closed[:] = [Epoch(**epoch) for epoch in state["closed"]]
        self.best = state["best"]
        self._losses, self._steps = state["losses"], state["steps"]
        self._before = state["seconds"]

    def _elapsed(self) -> float:
        return self._before + time.perf_counter() - self._start


class EpochCourse:
    """What courses of epochs have in common, as `kbert.driver` follows them.

    A subclass loads the batches of an epoch, measures at its end, and names the examples of a step.
    """

    def __init__(self, kept: Epochs, *, legs: Sequence[int], processes: Processes) -> None:
        """Take the optimiser steps of each epoch."""
        self.legs = list(legs)
        self.processes = processes
        self.kept = kept

    def begin(self, leg: int, *, start: int) -> None:
        """Begin to measure."""
        self.kept.begin(anew=not start)

    def looks(self, place: Place) -> bool:
        """Losses are wanted at the end of an epoch alone."""
        return False

    def measures(self, place: Place) -> bool:
        """Epochs are measured at their end."""
        return place.within + 1 == self.legs[place.leg]

    def add(self, figures: Sequence[float]) -> None:
        """Take the loss of a step."""
        self.kept.add(figures[0])

    def where(self, place: Place) -> str:
        """Name a step by its epoch."""
        return f"in epoch {place.leg + 1}/{len(self.legs)}, step {place.within + 1}"

    def state(self, core: Any) -> dict[str, Any]:
        """List epochs and losses."""
        return self.kept.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up epochs and losses."""
        self.kept.restore(state)
