"""What a pre-training is made of: batches of each phase, held-out texts, and the run's counters.

How steps are taken stands in `kbert.driver`; what is told, measured and kept meanwhile in
`kbert.pretraining.watch`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import torch
from pytorch_lightning.strategies import ModelParallelStrategy, Strategy

from kbert.driver import follow
from kbert.keeper import Keeper
from kbert.plans import Share
from kbert.pretraining.curves import Curves
from kbert.pretraining.flops import known_peak
from kbert.pretraining.held_out import Part
from kbert.pretraining.module import Pretraining
from kbert.pretraining.parts import for_validation, make_rows, make_sampler, make_weights
from kbert.pretraining.steps import Sampler, Steps, validation
from kbert.pretraining.watch import Measure, Watch
from kbert.processes import Processes

if TYPE_CHECKING:
    from kbert.nn.pretraining_heads import LanguageModel
    from kbert.pretraining.links import Links
    from kbert.pretraining.rows import MicroBatch, RowMaker
    from kbert.pretraining.settings import PretrainSettings
    from kbert.pretraining.shards import Corpus

_BETA1: Final = 0.9


class Training:
    """Train through all phases; one object a run."""

    def __init__(
        self,
        settings: PretrainSettings,
        *,
        corpus: Corpus,
        train: Part,
        held_out: Part | None,
        keeper: Keeper,
        save: Callable[[LanguageModel], None],
        links: Links | None = None,
    ) -> None:
        """Bind the parts; `save` writes a network's weights, `links` is the linked corpus."""
        self.settings = settings
        self.corpus = corpus
        self.save = save
        self.measures: list[Measure] = []
        self.saved_step = 0
        self.tokens = 0
        self.slots: int | None = 0  # as far as it was counted from the first step on
        self.seconds = 0.0
        self._train = train
        self._held_out = held_out
        self._links = links
        self.processes = Processes(
            settings, legs=len(settings.plan), strategy=_strategy(settings), folder=keeper.folder
        )
        self.curves: Curves | None = None
        self._keeper = keeper

    @property
    def peak(self) -> float | None:
        """Peak of all devices in FLOP/s, if it is known."""
        given, world = self.settings.peak_tflops, self.processes.share.world
        if given is not None:
            return given * 1e12 * world
        device = self.processes.trainer.strategy.root_device
        if device.type != "cuda":
            return None
        name = torch.cuda.get_device_name(device)
        peak = known_peak(name, precision=self.settings.precision)
        return None if peak is None else peak * world

    def fit(self, network: LanguageModel) -> None:
        """Train `network` through all phases. Raises `Diverged`, `Stopped`, `DataError`."""
        settings = self.settings
        module = Pretraining(
            network,
            weights=make_weights(settings),
            learning_rate=settings.learning_rate,
            warmup_steps=round(settings.total_steps * settings.warmup),
            total_steps=settings.total_steps,
            schedule=settings.schedule,
            weight_decay=settings.weight_decay,
            betas=(_BETA1, settings.beta2),
            epsilon=settings.epsilon,
            clip=settings.clip,
            sharded=settings.strategy == "fsdp",
            seed=settings.seed,
        )
        try:
            follow(Watch(self), module, self._keeper)
        finally:
            if self.curves is not None:
                self.curves.close()

    def begin_curves(self, *, step: int) -> None:
        """Open the curves of the run, which has taken so many steps; the first process writes."""
        if self.processes.first and self.curves is None:
            folder, board = self._keeper.folder, self.settings.tensorboard
            self.curves = Curves(folder, tensorboard=board, step=step)

    def steps(self, number: int) -> Steps:
        """Return the steps of phase `number`, from 0, of this process."""
        phase = self.settings.plan[number]
        return Steps(
            make_sampler(self.settings, self._train, phase, number=number),
            make_rows(self.settings, self.corpus, number=number, links=self._links),
            phase=phase,
            accumulate=self.settings.accumulate,
            share=self.processes.share,
        )

    def validation(self, number: int) -> Iterator[MicroBatch]:
        """Yield this process's share of the held-out batches at the lengths of a phase."""
        if self._held_out is None:
            return
        sampler, make = self._for_validation(number, self._held_out)
        batches = self.settings.validation_batches
        yield from validation(sampler, make, batches=batches, share=self.processes.share)

    def shown(self) -> Iterator[MicroBatch]:
        """Yield held-out rows one by one, at the lengths of the last phase."""
        if self._held_out is None:
            return
        sampler, make = self._for_validation(len(self.settings.plan) - 1, self._held_out)
        small = replace(sampler, batch_tokens=sampler.max_length)
        most = self.settings.samples
        yield from validation(small, make, batches=most, share=Share(0, 1))

    def _for_validation(self, number: int, held_out: Part) -> tuple[Sampler, RowMaker]:
        phase = self.settings.plan[number]
        return for_validation(
            make_sampler(self.settings, self._train, phase, number=number),
            make_rows(self.settings, self.corpus, number=number, links=self._links),
            held_out,
        )

    @property
    def has_held_out(self) -> bool:
        """Whether there are texts to validate on."""
        return self._held_out is not None


def _strategy(settings: PretrainSettings) -> Strategy | str:
    if settings.devices == 1:
        return "auto"
    if settings.strategy == "ddp":
        return "ddp"
    return ModelParallelStrategy(
        data_parallel_size=settings.devices,
        tensor_parallel_size=1,
        save_distributed_checkpoint=False,
    )
