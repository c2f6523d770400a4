"""The training step over triples, and the loop around it.

Optimiser, schedule and clipping are those of `kbert.module`, epochs those of `kbert.epochs`; how
steps are taken stands in `kbert.driver`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from kbert.core import Portion
from kbert.driver import Place, follow
from kbert.epochs import Epoch, EpochCourse, Epochs
from kbert.keeper import Keeper
from kbert.module import Training
from kbert.plans import loader
from kbert.processes import Processes
from kbert.trainer import listed
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

    def __init__(self, network: TripleNetwork, **training: Any) -> None:
        """Bind a network; `training` is as in `Training`."""
        super().__init__(network.classifier, **training)
        self.triples = network  # the same weights

    def whole(self, batch: TripleBatch) -> Tensor:
        """Count the examples of a batch."""
        return torch.tensor(len(batch.targets), device=batch.targets.device)

    def portion(self, part: TripleBatch, whole: Tensor) -> Portion:
        """Return the cross-entropy over the labels, as in the original, each 1 of `whole`."""
        logits = self.triples(part.token_ids, part.segments, lengths=part.lengths or None)
        total = nn.functional.cross_entropy(logits.float(), part.targets, reduction="sum")
        value = total / whole
        return Portion(value, value.detach().reshape(1))

    def slots(self, part: TripleBatch) -> int:
        """Return the token slots of a batch."""
        return part.token_ids.numel()

    def halves(self, part: TripleBatch) -> Sequence[TripleBatch]:
        """Cut a batch into its first and its last examples."""
        count = len(part.targets)
        bounds = (0, count // 2, count) if count > 1 else (0, count)
        return [part.rows(a, b) for a, b in pairwise(bounds)]


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
        keeper: Keeper,
        save: Callable[[], None],
        name: Callable[[Sequence[int]], str],
    ) -> None:
        """Bind what is learnt and measured.

        `save` writes the network's weights as they are, `name` names a triple for people.
        """
        self.settings = settings
        self.lessons = lessons
        self.validation = validation
        self.sequences = sequences
        self.pad_id = pad_id
        self.name = name
        self.kept = Epochs(
            main=self.main,
            total=settings.epochs,
            chooses=validation is not None and settings.keep == "best",
            save=save,
        )
        self.processes = Processes(
            settings, legs=settings.epochs, strategy="auto", folder=keeper.folder
        )
        self._keeper = keeper

    @property
    def epochs(self) -> list[Epoch]:
        """What the epochs came to, so far."""
        return self.kept.closed

    @property
    def best(self) -> int:
        """The epoch whose weights were saved, from 0."""
        return self.kept.best

    @property
    def main(self) -> str:
        """The score that decides which epoch is the best."""
        return "" if self.validation is None else self.validation.main

    @property
    def legs(self) -> list[int]:
        """The optimiser steps of each epoch."""
        steps = math.ceil(len(self.lessons) / self.settings.batch_size)
        return [steps] * self.settings.epochs

    @property
    def total_steps(self) -> int:
        """Count the optimiser steps of the whole training."""
        return sum(self.legs)

    def fit(self, network: TripleNetwork, *, learning_rate: float) -> None:
        """Train `network`, which is left with the weights of the last epoch.

        Raises `Diverged`, `Stopped`.
        """
        settings = self.settings
        module = TripleTraining(
            network,
            learning_rate=learning_rate,
            weight_decay=settings.weight_decay,
            clip=settings.clip,
            warmup_steps=round(self.total_steps * settings.warmup),
            total_steps=self.total_steps,
            schedule=settings.schedule,
            seed=settings.seed,
        )
        follow(Course(self, network), module, self._keeper)

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


class Course(EpochCourse):
    """The epochs of a training over triples, as `kbert.driver` follows them."""

    def __init__(self, loop: Loop, network: TripleNetwork) -> None:
        """Bind the network that is measured."""
        super().__init__(loop.kept, legs=loop.legs, processes=loop.processes)
        self._loop = loop
        self._network = network

    def loader(self, leg: int, *, start: int) -> DataLoader[TripleBatch]:
        """Load the batches of an epoch, drawn when it begins."""
        return loader(self._loop.steps(leg), start=start, workers=self._loop.settings.workers)

    def after(self, core: Any, batch: Any, place: Place) -> None:
        """Close an epoch at its end, measured in 32 bits."""
        if self.measures(place):
            with core.evaluating(), torch.autocast(core.device.type, enabled=False):
                scores = self._loop.measure(self._network)
            self.kept.close(scores)

    def what(self, place: Place) -> str:
        """Name the triples of a step."""
        triples = self._loop.steps(place.leg).examples(place.within).triples
        return listed([self._loop.name(triple) for triple in triples.tolist()])
