"""The training loop: Lightning, an evaluation each epoch, the best weights kept.

Batch plans are functions of (seed, epoch), sliced by rank, so what a step trains on is known
beforehand and the same in every repetition. The rest of the framework runs without this file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback

from kbert import console, plans
from kbert.dropout import thinned
from kbert.errors import Diverged
from kbert.eta import Eta
from kbert.module import FineTuning
from kbert.plans import Plan, Steps
from kbert.processes import Processes

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from kbert.settings import TrainSettings
    from kbert.tasks import Encoded, LabelledBatch, Task

_READ_EVERY = 100  # steps after which losses are looked at; reading waits for the device


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    number: int
    loss: float
    scores: dict[str, float]
    seconds: float


class Loop:
    """Fit, evaluate, keep the best; one object a run."""

    def __init__(
        self,
        settings: TrainSettings,
        *,
        task: Task,
        pad_id: int,
        folder: Path,
        save: Callable[[], None],
    ) -> None:
        """Bind settings; `save` writes the network's weights as they are when it is called."""
        self.settings = settings
        self.task = task
        self.pad_id = pad_id
        self.save = save
        self.epochs: list[Epoch] = []
        self.best = -1
        self.processes = Processes(
            settings,
            epochs=settings.epochs,
            strategy="ddp" if settings.devices > 1 else "auto",
            folder=folder,
        )

    @property
    def main(self) -> str:
        """The score that decides which epoch is the best."""
        return self.task.main

    @property
    def total(self) -> int:
        """How many epochs there will be."""
        return self.settings.epochs

    def fit(
        self,
        network: torch.nn.Module,
        train: Sequence[Encoded],
        dev: Sequence[Encoded],
        *,
        learning_rate: float,
        total_steps: int,
    ) -> FineTuning:
        """Train on `train`; after each epoch evaluate on `dev` and save if it is the best so far.

        Without `dev` each epoch is saved. The module is left with the weights of the last epoch.
        `total_steps` is what `steps` counts. Raises `Diverged`.
        """
        module = FineTuning(
            network,
            self.task,
            learning_rate=learning_rate,
            weight_decay=self.settings.weight_decay,
            clip=self.settings.clip,
            warmup_steps=round(total_steps * self.settings.warmup),
            total_steps=total_steps,
            schedule=self.settings.schedule,
            layer_decay=self.settings.layer_decay,
            unfreeze_epochs=self.settings.unfreeze_epochs,
        )
        module.evaluate_on(dev)
        data = _Data(self, train, dev)
        with self.processes.training() as trainer:
            trainer.callbacks.append(Watch(self, has_dev=bool(dev)))  # type: ignore[attr-defined]
            trainer.fit(module, datamodule=data)
        return module

    def evaluate(self, module: FineTuning, encoded: Sequence[Encoded]) -> dict[str, float]:
        """Score the module on examples, over all processes."""
        module.evaluate_on(encoded)
        with self.processes.training() as trainer:
            trainer.test(module, dataloaders=self.evaluation(encoded), verbose=False)
        return module.scores

    def steps(self, encoded: Sequence[Encoded]) -> int:
        """Count the optimiser steps of the whole training."""
        sizes = plans.lengths(encoded)
        return sum(len(self.plan(sizes, epoch)) for epoch in range(self.settings.epochs))

    def padding_share(self, encoded: Sequence[Encoded]) -> float:
        """Say which share of the first epoch's token slots is padding (of this process), 0 to 1."""
        plan = self.plan(plans.lengths(encoded), epoch=0)
        return plans.padding_share(plans.lengths(self.thinned(encoded, epoch=0)), plan)

    def evaluation_padding_share(self, encoded: Sequence[Encoded]) -> float:
        """Say which share of an evaluation's token slots is padding (of this process), 0 to 1."""
        sizes = plans.lengths(encoded)
        return plans.padding_share(sizes, self._evaluation_plan(sizes))

    def plan(self, sizes: Sequence[int], epoch: int) -> Plan:
        """Plan this process's batches of an epoch (from 0) over examples of these lengths."""
        return plans.training_plan(
            sizes,
            max_tokens=self.settings.batch_tokens,
            seed=self.settings.seed,
            epoch=epoch,
            share=self.processes.share,
        )

    def thinned(self, encoded: Sequence[Encoded], epoch: int) -> Sequence[Encoded]:
        """Return the training examples as an epoch (from 0) reads them: see `kbert.dropout`."""
        rate, seed = self.settings.fact_dropout, self.settings.seed
        return thinned(encoded, rate=rate, seed=seed, epoch=epoch)

    def _evaluation_plan(self, sizes: Sequence[int]) -> Plan:
        return plans.evaluation_plan(
            sizes, max_tokens=self.settings.batch_tokens, share=self.processes.share
        )

    def training(self, encoded: Sequence[Encoded], plan: Plan) -> DataLoader[LabelledBatch]:
        """Load the batches of a plan in its order."""
        steps = Steps(encoded, plan, task=self.task, pad_id=self.pad_id)
        return steps.loader(workers=self.settings.workers)

    def evaluation(self, encoded: Sequence[Encoded]) -> DataLoader[LabelledBatch]:
        """Load this process's share of the examples, in batches sorted by length."""
        return self.training(encoded, self._evaluation_plan(plans.lengths(encoded)))


class _Data(lightning.LightningDataModule):
    """Hands Lightning the batches of the current epoch, planned when it starts."""

    def __init__(self, loop: Loop, train: Sequence[Encoded], dev: Sequence[Encoded]) -> None:
        super().__init__()
        self._loop, self._train, self._dev = loop, train, dev
        self._sizes = plans.lengths(train)

    def train_dataloader(self) -> DataLoader[LabelledBatch]:
        assert self.trainer is not None
        epoch = self.trainer.current_epoch
        plan = self._loop.plan(self._sizes, epoch)
        return self._loop.training(self._loop.thinned(self._train, epoch), plan)

    def val_dataloader(self) -> Any:
        return self._loop.evaluation(self._dev) if self._dev else []


class Watched(Protocol):
    """A training whose epochs are watched: what they came to, and which was the best."""

    epochs: list[Epoch]
    best: int
    processes: Processes
    save: Callable[[], None]

    @property
    def main(self) -> str:
        """The score that decides."""

    @property
    def total(self) -> int:
        """How many epochs there will be."""


class Watch(Callback):
    """After each epoch: report it, and save the weights if they are the best so far.

    Now and then it looks whether losses are still numbers.
    """

    def __init__(self, loop: Watched, *, has_dev: bool, keep_last: bool = False) -> None:
        """Watch the epochs of `loop`; `keep_last` keeps the last weights, whatever the scores."""
        self._loop = loop
        self._has_dev = has_dev
        self._chooses = has_dev and not keep_last
        self._start = time.perf_counter()
        self._losses: list[float] = []
        self._eta: Eta | None = None

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to measure."""
        self._start = time.perf_counter()
        self._losses = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
        """Look at the losses, every so many steps, and say when it ends. Raises `Diverged`."""
        self._eta = self._eta or Eta.for_log(self._loop.total * trainer.num_training_batches)
        self._eta.step(trainer.global_step)
        if len(pl_module.losses) == _READ_EVERY:
            self._read_losses(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report the epoch and keep its weights, if they are wanted. Raises `Diverged`."""
        self._read_losses(trainer, pl_module)
        if not all(bool(weights.isfinite().all()) for weights in pl_module.parameters()):
            raise self._diverged(trainer, step=len(self._losses), what="weights are no numbers")
        epoch = Epoch(
            number=trainer.current_epoch + 1,
            loss=sum(self._losses) / len(self._losses),
            scores=dict(pl_module.scores) if self._has_dev else {},
            seconds=time.perf_counter() - self._start,
        )
        loop, main = self._loop, self._loop.main
        loop.epochs.append(epoch)
        before = loop.epochs[loop.best].scores.get(main) if loop.best >= 0 else None
        # A tie goes to the earlier epoch, but zeros say nothing: then to the longer training.
        if not self._chooses or before is None or epoch.scores[main] > before or before == 0:
            loop.best = len(loop.epochs) - 1
            if loop.processes.first:
                loop.save()
        scores = "".join(f"  dev {k} {v:.4f}" for k, v in epoch.scores.items()).replace("_", " ")
        total = loop.total
        console.say(
            f"epoch {epoch.number}/{total}  loss {epoch.loss:.4f}{scores}  {epoch.seconds:.1f} s"
        )

    def _read_losses(self, trainer: Any, pl_module: Any) -> None:
        """Take the losses of the last steps, averaged over the processes."""
        taken, pl_module.losses = pl_module.losses, []
        if not taken:
            return
        for loss in trainer.strategy.reduce(torch.stack(taken), reduce_op="mean").tolist():
            self._losses.append(loss)
            if not math.isfinite(loss):
                raise self._diverged(trainer, step=len(self._losses), what=f"loss {loss}")

    def _diverged(self, trainer: Any, *, step: int, what: str) -> Diverged:
        epoch, total = trainer.current_epoch + 1, self._loop.total
        return Diverged(
            f"the training diverged in epoch {epoch}/{total}, step {step} ({what}); lower"
            " --learning-rate"
        )
