"""The training step over triples and its loop, as Lightning wants them; nothing else.

Optimiser, schedule and clipping are those of `kbert.module`, the watch over the epochs that of
`kbert.trainer`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from kbert.module import Training
from kbert.processes import Processes
from kbert.trainer import Epoch, Watch
from kgbert.batches import Lessons, Steps, TripleBatch, plan_batches
from kgbert.engine import ScoringEngine

if TYPE_CHECKING:
    from kgbert.network import TripleNetwork
    from kgbert.sequences import Sequences
    from kgbert.settings import KnowledgeTrainSettings
    from kgbert.validation import Validation

_TOKENS: Final = 4096
_TOKENS_OF_GPU: Final = 1 << 16


class TripleTraining(Training):
    """Train a network on labelled triples, or on pairs labelled with their relation."""

    def __init__(
        self, network: TripleNetwork, *, validate: Callable[[], dict[str, float]], **training: Any
    ) -> None:
        """Bind a network and what measures it on dev; `training` is as in `Training`."""
        super().__init__(network.classifier, **training)
        self.triples = network  # the same weights
        self._validate = validate

    def training_step(self, batch: TripleBatch, index: int) -> Tensor:
        """Return the loss of one step: cross-entropy over the labels, as in the original."""
        logits = self.triples(batch.token_ids, batch.segments, lengths=batch.lengths or None)
        value = nn.functional.cross_entropy(logits.float(), batch.targets)
        return self.keep_loss(value, examples=len(batch.targets))

    def validation_step(self, batch: int, index: int) -> None:
        """Measure on dev, in 32 bits, unless weights are broken; that is told after the epoch."""
        if all(bool(weights.isfinite().all()) for weights in self.network.parameters()):
            with torch.autocast(self.device.type, enabled=False):
                self.scores = self._validate()


class Loop:
    """Fit, validate, keep the best; one object a run."""

    def __init__(
        self,
        settings: KnowledgeTrainSettings,
        *,
        lessons: Lessons,
        validation: Validation | None,
        sequences: Sequences,
        pad_id: int,
        folder: Path,
        save: Callable[[], None],
    ) -> None:
        """Bind what is learnt and measured; `save` writes the network's weights as they are."""
        self.settings = settings
        self.lessons = lessons
        self.validation = validation
        self.sequences = sequences
        self.pad_id = pad_id
        self.save = save
        self.epochs: list[Epoch] = []
        self.best = -1
        self.processes = Processes(settings, epochs=settings.epochs, strategy="auto", folder=folder)

    @property
    def main(self) -> str:
        """The score that decides which epoch is the best."""
        return "" if self.validation is None else self.validation.main

    @property
    def total(self) -> int:
        """How many epochs there will be."""
        return self.settings.epochs

    @property
    def total_steps(self) -> int:
        """Count the optimiser steps of the whole training."""
        return self.settings.epochs * math.ceil(len(self.lessons) / self.settings.batch_size)

    def fit(self, network: TripleNetwork, *, learning_rate: float) -> None:
        """Train `network`, which is left with the weights of the last epoch. Raises `Diverged`."""
        settings = self.settings
        module = TripleTraining(
            network,
            validate=lambda: self.measure(network),
            learning_rate=learning_rate,
            weight_decay=settings.weight_decay,
            clip=settings.clip,
            warmup_steps=round(self.total_steps * settings.warmup),
            total_steps=self.total_steps,
            schedule=settings.schedule,
        )
        watch = Watch(self, has_dev=self.validation is not None, keep_last=settings.keep == "last")
        with self.processes.training() as trainer:
            trainer.callbacks.append(watch)  # type: ignore[attr-defined]
            trainer.fit(module, datamodule=_Data(self))

    def measure(self, network: TripleNetwork) -> dict[str, float]:
        """Measure `network`, where it is, on dev; nothing where there is no dev set."""
        if self.validation is None:
            return {}
        return self.validation.scores(self.engine(network))

    def engine(self, network: TripleNetwork) -> ScoringEngine:
        """Return what scores with `network`, where it is."""
        on_cpu = next(network.parameters()).device.type == "cpu"
        tokens = _TOKENS if on_cpu else _TOKENS_OF_GPU
        return ScoringEngine(network, self.sequences, batch_tokens=tokens)

    @property
    def device(self) -> torch.device:
        """Where the training runs; after it the network is on the CPU."""
        found: torch.device = self.processes.trainer.strategy.root_device
        return found

    def steps(self, epoch: int) -> Steps:
        """Return the batches of an epoch, from 0."""
        examples = self.lessons.epoch(epoch)
        plan = plan_batches(
            self.sequences.lengths(examples.triples),
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            epoch=epoch,
        )
        return Steps(examples, plan, sequences=self.sequences, pad_id=self.pad_id)

    def padding_share(self) -> float:
        """Say which share of the first epoch's token slots is padding, 0 to 1."""
        triples, _ = self.lessons.epoch(0)
        lengths = self.sequences.lengths(triples)
        plan = plan_batches(
            lengths, batch_size=self.settings.batch_size, seed=self.settings.seed, epoch=0
        )
        slots = sum(len(batch) * int(lengths[batch].max()) for batch in plan)
        return 1.0 - float(lengths.sum()) / slots


class _Data(lightning.LightningDataModule):
    """Hands Lightning the batches of the current epoch, and one call to measure after it."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def train_dataloader(self) -> DataLoader[TripleBatch]:
        assert self.trainer is not None
        return self._loop.steps(self.trainer.current_epoch).loader(
            workers=self._loop.settings.workers
        )

    def val_dataloader(self) -> Any:
        return [] if self._loop.validation is None else DataLoader([0], batch_size=None)  # type: ignore[arg-type]
