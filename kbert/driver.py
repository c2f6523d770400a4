"""The loop around the steps: legs, figures, checkpoints, and where a training has to stop.

A training is a course of legs (epochs, or phases), each of so many steps, and what it does in step
i is known from i. Of Lightning's loop nothing is ever saved: who goes on from a checkpoint gets a
fresh trainer for what is left, whose first leg begins in its midst. A leg is closed, with all its
measuring, within its last step; so a checkpoint stands between two steps and nowhere else.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback

from kbert import snapshots
from kbert.errors import Diverged
from kbert.eta import Eta
from kbert.stops import Stop

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from kbert.core import Core
    from kbert.keeper import Keeper
    from kbert.processes import Processes

_READ_EVERY: Final = 100  # steps after which figures are looked at; reading waits for the device
_AGREE_EVERY: Final = 10  # steps after which several processes ask each other whether to stop


class Place(NamedTuple):
    """A step of a course: its number of all, its leg, and its number there, all from 0."""

    step: int
    leg: int
    within: int


class Course(Protocol):
    """What is trained on and measured; its `state` goes into checkpoints."""

    processes: Processes

    @property
    def legs(self) -> Sequence[int]:
        """The steps of each leg."""

    def loader(self, leg: int, *, start: int) -> DataLoader[Any]:
        """Load the steps of a leg, of this process, from `start` on."""

    def begin(self, leg: int, *, start: int) -> None:
        """Take a leg up, at its beginning or at step `start` of it."""

    def looks(self, place: Place) -> bool:
        """Say whether figures are wanted after a step."""

    def measures(self, place: Place) -> bool:
        """Say whether weights are measured or saved after a step; at the end of a leg they are."""

    def add(self, figures: Sequence[float]) -> None:
        """Take the figures of a step, over all processes; they come in order."""

    def after(self, core: Any, batch: Any, place: Place) -> None:
        """Tell, measure and save, after a step; at the end of a leg close it."""

    def where(self, place: Place) -> str:
        """Name a step, for people."""

    def what(self, place: Place) -> str:
        """Name what a step trains on, for people."""

    def state(self, core: Any) -> dict[str, Any]:
        """List what a checkpoint holds of figures and counters; all processes call this."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""


def follow(course: Course, core: Core, keeper: Keeper) -> None:
    """Train through a course, from the keeper's checkpoint on if it has one.

    Raises `Diverged` where figures are no numbers, and `Stopped` where it ends before its time.
    """
    driver = Driver(course, core, keeper)
    if course.processes.first:
        keeper.restore_files()
    if driver.done == driver.total:
        return
    with course.processes.training() as trainer, keeper.stops.listening():
        trainer.callbacks.append(driver)  # type: ignore[attr-defined]
        trainer.fit_loop.max_epochs = len(course.legs) - driver.place.leg
        trainer.fit(core, datamodule=_Data(driver))
        trainer.callbacks.remove(driver)  # type: ignore[attr-defined]
        if driver.stop is not Stop.NONE:
            raise keeper.stopped(driver.stop, done=driver.done, total=driver.total)


class Driver(Callback):
    """Follows the steps of Lightning's loop, and knows which step of the course each is."""

    def __init__(self, course: Course, core: Core, keeper: Keeper) -> None:
        """Begin, or go on from the keeper's checkpoint."""
        self.stop = Stop.NONE
        self._course = course
        self._core = core
        self._keeper = keeper
        self._starts = [0, *accumulate(course.legs)]
        self._read = 0
        self._eta = Eta.for_log(self.total)
        if keeper.resumed is not None:
            state = keeper.resumed.state
            core.steps_done = self._read = keeper.resumed.step
            core.most_slots = state["most_slots"]
            course.restore(state["course"])

    @property
    def done(self) -> int:
        """Steps that were taken."""
        return self._core.steps_done

    @property
    def total(self) -> int:
        """Steps of the whole course."""
        return self._starts[-1]

    @property
    def place(self) -> Place:
        """The step that comes next."""
        return self._place(self.done)

    def _place(self, step: int) -> Place:
        leg = bisect_right(self._starts, step) - 1
        return Place(step, leg, step - self._starts[leg])

    def loader(self) -> DataLoader[Any]:
        """Load what is left of the leg that comes next."""
        _, leg, within = self.place
        return self._course.loader(leg, start=within)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Put weights and the optimiser's state back, and take the signals from Lightning.

        At a SIGTERM it would let its processes exchange something in the midst of a step.
        """
        self._keeper.stops.listen()
        trainer._signal_connector.received_sigterm = False  # one that came as it set itself up
        if self._keeper.resumed is not None:
            optimiser = pl_module.optimizers(use_pl_optimizer=False)
            snapshots.restore(pl_module, optimiser, self._keeper.resumed.tensors())

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Take up a leg."""
        _, leg, within = self.place
        pl_module.begin_leg(leg)
        self._course.begin(leg, start=within)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at figures, measure, keep, stop: each in its time. Raises `Diverged`."""
        place = self._place(self.done - 1)
        self._eta.step(self.done)
        measures = self._course.measures(place)
        stop, due = self._asked(trainer)
        keeps = due or self._keeper.due_by_steps(self.done)
        if measures or keeps or self._course.looks(place) or len(pl_module.taken) >= _READ_EVERY:
            self._look(trainer)
        if measures or keeps:
            self._check_weights(place)
        self._course.after(pl_module, batch, place)
        if self.done < self.total:
            self.stop = stop
            trainer.should_stop = stop is not Stop.NONE
        if keeps:
            self._keep(must=trainer.should_stop)

    def _asked(self, trainer: Any) -> tuple[Stop, bool]:
        """Say whether to stop, and whether a checkpoint is due; all processes say the same."""
        stop, due = self._keeper.stops.asked(), self._keeper.due_by_time()
        if trainer.world_size > 1:
            if self.done % _AGREE_EVERY:
                return Stop.NONE, False
            mine = torch.tensor([float(stop), float(due)], device=self._core.device)
            found = _greatest(mine)
            stop, due = Stop(int(found[0])), bool(found[1])
        return stop, due or stop is not Stop.NONE

    def _look(self, trainer: Any) -> None:
        """Take the figures of the last steps, over all processes. Raises `Diverged`."""
        taken, self._core.taken = self._core.taken, []
        if not taken:
            return
        rows = trainer.strategy.reduce(torch.stack(taken), reduce_op=self._core.reduce).tolist()
        for norm, *figures in rows:
            wrong = next((f"loss {x}" for x in figures if not math.isfinite(x)), "")
            if not wrong and not math.isfinite(norm):
                wrong = f"gradient norm {norm}"
            if wrong:
                place = self._place(self._read)
                raise self._diverged(place, f"{wrong}, on {self._course.what(place)}")
            self._read += 1
            self._course.add(figures)

    def _check_weights(self, place: Place) -> None:
        if not self._core.finite():
            raise self._diverged(place, "weights are no numbers")

    def _diverged(self, place: Place, what: str) -> Diverged:
        last = self._keeper.last
        kept = "" if last is None else f"; the last good checkpoint is {last}"
        return Diverged(
            f"the training diverged {self._course.where(place)} ({what}); lower"
            f" --learning-rate{kept}"
        )

    def _keep(self, *, must: bool) -> None:
        """Write a checkpoint; all processes take part, the first one writes."""
        core, first = self._core, self._course.processes.first
        state: dict[str, Any] = {"total": self.total, "most_slots": core.most_slots}
        state["course"] = self._course.state(core)
        optimiser: Any = core.optimizers(use_pl_optimizer=False)
        tensors = snapshots.take(core, optimiser, keep=first)
        if first:
            self._keeper.write(self.done, state=state, tensors=tensors, must=must)
        self._keeper.tick()


class _Data(lightning.LightningDataModule):
    """Hands Lightning the steps of the leg that comes next."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver

    def train_dataloader(self) -> DataLoader[Any]:
        return self._driver.loader()

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        if isinstance(batch, list | tuple):
            return tuple(part.to(device) for part in batch)
        return batch.to(device)


def _greatest(values: torch.Tensor) -> list[float]:
    torch.distributed.all_reduce(values, op=torch.distributed.ReduceOp.MAX)
    found: list[float] = values.tolist()
    return found
