"""The training loop: Lightning, an evaluation each epoch, the best weights kept.

Batch plans are functions of (seed, epoch), sliced by rank, so the data of a step does not depend
on the number of processes' luck. The rest of the framework runs without this file.
"""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, TQDMProgressBar

from kbert import console
from kbert.errors import SettingsError
from kbert.module import FineTuning
from kbert.plans import Plan, Share, Steps, evaluation_plan, padding_share, training_plan

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from kbert.settings import TrainSettings
    from kbert.tasks import Encoded, LabelledBatch, Task

_ADVICE = (
    ".*does not have many workers.*",
    ".*LeafSpec.*is deprecated.*",
    "Total length of `list` across ranks is zero.*",  # no dev set; this is said elsewhere
)


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
        self._trainer = _lightning(settings, folder=folder)

    def fit(
        self,
        network: torch.nn.Module,
        train: Sequence[Encoded],
        dev: Sequence[Encoded],
        *,
        learning_rate: float,
    ) -> FineTuning:
        """Train on `train`; after each epoch evaluate on `dev` and save if it is the best so far.

        Without `dev` each epoch is saved. The module is left with the weights of the last epoch.
        """
        plans = [self._plan(train, epoch) for epoch in range(self.settings.epochs)]
        total = sum(map(len, plans))
        module = FineTuning(
            network,
            self.task,
            learning_rate=learning_rate,
            weight_decay=self.settings.weight_decay,
            clip=self.settings.clip,
            warmup_steps=round(total * self.settings.warmup),
            total_steps=total,
        )
        module.evaluate_on(dev)
        data = _Data(self, train, plans, dev)
        self._trainer.callbacks.append(_Watch(self, has_dev=bool(dev)))  # type: ignore[attr-defined]
        with _as_guest(self._trainer):
            self._trainer.fit(module, datamodule=data)
        return module

    def evaluate(self, module: FineTuning, encoded: Sequence[Encoded]) -> dict[str, float]:
        """Score the module on examples, over all processes."""
        module.evaluate_on(encoded)
        with _as_guest(self._trainer):
            self._trainer.test(module, dataloaders=self.evaluation(encoded), verbose=False)
        return module.scores

    def barrier(self) -> None:
        """Wait for the other processes."""
        self._trainer.strategy.barrier()

    def steps(self, encoded: Sequence[Encoded]) -> int:
        """Count the optimiser steps of the whole training."""
        return sum(len(self._plan(encoded, epoch)) for epoch in range(self.settings.epochs))

    def padding_share(self, encoded: Sequence[Encoded]) -> float:
        """Say which share of an epoch's token slots is padding (of this process), 0 to 1."""
        return padding_share(encoded, self._plan(encoded, epoch=0))

    def evaluation_padding_share(self, encoded: Sequence[Encoded]) -> float:
        """Say which share of an evaluation's token slots is padding (of this process), 0 to 1."""
        return padding_share(encoded, self._evaluation_plan(encoded))

    @property
    def rank(self) -> int:
        """This process's number."""
        return int(self._trainer.global_rank)

    @property
    def device(self) -> str:
        """Where the training runs, for people."""
        name = type(self._trainer.accelerator).__name__.removesuffix("Accelerator")
        return f"{self._trainer.world_size} x {name}"

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self._trainer.is_global_zero)

    def _plan(self, encoded: Sequence[Encoded], epoch: int) -> Plan:
        return training_plan(
            encoded,
            max_tokens=self.settings.batch_tokens,
            seed=self.settings.seed,
            epoch=epoch,
            share=self._share,
        )

    def _evaluation_plan(self, encoded: Sequence[Encoded]) -> Plan:
        tokens = self.settings.batch_tokens
        return evaluation_plan(encoded, max_tokens=tokens, share=self._share)

    @property
    def _share(self) -> Share:
        return Share(self._trainer.global_rank, self._trainer.world_size)

    def training(self, encoded: Sequence[Encoded], plan: Plan) -> DataLoader[LabelledBatch]:
        """Load the batches of a plan in its order."""
        steps = Steps(encoded, plan, task=self.task, pad_id=self.pad_id)
        return steps.loader(workers=self.settings.workers)

    def evaluation(self, encoded: Sequence[Encoded]) -> DataLoader[LabelledBatch]:
        """Load this process's share of the examples, in batches sorted by length."""
        return self.training(encoded, self._evaluation_plan(encoded))


class _Data(lightning.LightningDataModule):
    """Hands Lightning the batches of the current epoch."""

    def __init__(
        self,
        loop: Loop,
        train: Sequence[Encoded],
        plans: Sequence[Plan],
        dev: Sequence[Encoded],
    ) -> None:
        super().__init__()
        self._loop, self._train, self._plans, self._dev = loop, train, plans, dev

    def train_dataloader(self) -> DataLoader[LabelledBatch]:
        assert self.trainer is not None
        return self._loop.training(self._train, self._plans[self.trainer.current_epoch])

    def val_dataloader(self) -> Any:
        return self._loop.evaluation(self._dev) if self._dev else []


class _Watch(Callback):
    """After each epoch: report it, and save the weights if they are the best so far."""

    def __init__(self, loop: Loop, *, has_dev: bool) -> None:
        self._loop = loop
        self._has_dev = has_dev
        self._start = time.perf_counter()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        losses, pl_module.losses = pl_module.losses, []
        epoch = Epoch(
            number=trainer.current_epoch + 1,
            loss=float(trainer.strategy.reduce(torch.stack(losses).mean(), reduce_op="mean")),
            scores=dict(pl_module.scores) if self._has_dev else {},
            seconds=time.perf_counter() - self._start,
        )
        loop, main = self._loop, self._loop.task.main
        loop.epochs.append(epoch)
        before = loop.epochs[loop.best].scores.get(main) if loop.best >= 0 else None
        if before is None or epoch.scores[main] > before or not self._has_dev:
            loop.best = len(loop.epochs) - 1
            if loop.first:
                loop.save()
        scores = "".join(f"  dev {k} {v:.4f}" for k, v in epoch.scores.items())
        total = loop.settings.epochs
        console.say(
            f"epoch {epoch.number}/{total}  loss {epoch.loss:.4f}{scores}  {epoch.seconds:.1f} s"
        )


def check_devices(settings: TrainSettings) -> None:
    """Refuse devices that this machine does not have. Raises `SettingsError`."""
    found = torch.cuda.device_count()
    if settings.accelerator == "gpu" and not found:
        raise SettingsError("--accelerator gpu: this machine has no GPU that torch can use")
    if settings.accelerator == "auto" and not found and settings.devices > 1:
        raise SettingsError(
            f"--devices {settings.devices}: this machine has no GPU; for that many CPU processes"
            " say --accelerator cpu as well"
        )
    if settings.accelerator != "cpu" and found and settings.devices > found:
        raise SettingsError(f"--devices {settings.devices}: this machine has {found} GPUs")


def _lightning(settings: TrainSettings, *, folder: Path) -> lightning.Trainer:
    use_gpu = settings.accelerator != "cpu" and torch.cuda.is_available()
    interactive = console.speaks() and console.interactive()
    with _quiet():
        return lightning.Trainer(
            accelerator="gpu" if use_gpu else "cpu",
            devices=settings.devices,
            strategy="ddp" if settings.devices > 1 else "auto",
            precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
            max_epochs=settings.epochs,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=interactive,
            callbacks=[TQDMProgressBar(leave=False)] if interactive else [],
            default_root_dir=folder,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back Lightning's advice, and nothing else; levels and filters are then as before."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _ADVICE:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _as_guest(trainer: lightning.Trainer) -> Iterator[None]:
    """Let Lightning run, and an interrupt be one: it would end the process, and ignore the next."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with _quiet():
            yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None
