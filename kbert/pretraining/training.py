"""The loop of pre-training: Lightning goes through the phases, each of which is one of its epochs.

What is told, measured and kept meanwhile stands in `kbert.pretraining.watch`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.strategies import ModelParallelStrategy, Strategy

from kbert import console
from kbert.guest import as_guest, quiet
from kbert.plans import Share
from kbert.pretraining.curves import Curves
from kbert.pretraining.flops import known_peak
from kbert.pretraining.held_out import Part
from kbert.pretraining.module import Pretraining
from kbert.pretraining.parts import for_validation, make_rows, make_sampler, make_weights
from kbert.pretraining.steps import Sampler, Step, Steps, validation
from kbert.pretraining.watch import Diverged, Measure, Watch

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from kbert.nn.pretraining_heads import LanguageModel
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
        folder: Path,
        save: Callable[[LanguageModel], None],
    ) -> None:
        """Bind the parts; `save` writes a network's weights."""
        self.settings = settings
        self.corpus = corpus
        self.save = save
        self.measures: list[Measure] = []
        self.saved_step = 0
        self.tokens = 0
        self.seconds = 0.0
        self._train = train
        self._held_out = held_out
        self._trainer = _lightning(settings, folder=folder)
        self.curves = Curves(folder, tensorboard=settings.tensorboard) if self.first else None

    @property
    def rank(self) -> int:
        """This process's number."""
        return int(self._trainer.global_rank)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self._trainer.is_global_zero)

    @property
    def device(self) -> str:
        """Where the training runs, for people."""
        name = type(self._trainer.accelerator).__name__.removesuffix("Accelerator")
        return f"{self._trainer.world_size} x {name}"

    @property
    def peak(self) -> float | None:
        """Peak of all devices in FLOP/s, if it is known."""
        given = self.settings.peak_tflops
        if given is not None:
            return given * 1e12 * self._trainer.world_size
        if self._trainer.strategy.root_device.type != "cuda":
            return None
        name = torch.cuda.get_device_name(self._trainer.strategy.root_device)
        peak = known_peak(name, precision=self.settings.precision)
        return None if peak is None else peak * self._trainer.world_size

    def barrier(self) -> None:
        """Wait for the other processes."""
        self._trainer.strategy.barrier()

    def fit(self, network: LanguageModel) -> None:
        """Train `network` through all phases. Raises `Diverged`, `DataError`."""
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
        )
        self._trainer.callbacks.append(Watch(self))  # type: ignore[attr-defined]
        try:
            with as_guest(self._trainer):
                self._trainer.fit(module, datamodule=_Data(self))
        except Diverged:
            if not self.first:  # with another status Lightning would kill the one that can tell
                sys.exit(0)
            raise
        finally:
            if self.curves is not None:
                self.curves.close()

    def steps(self, number: int) -> Steps:
        """Return the steps of phase `number`, from 0, of this process."""
        phase = self.settings.plan[number]
        return Steps(
            make_sampler(self.settings, self._train, phase, number=number),
            make_rows(self.settings, self.corpus, number=number),
            phase=phase,
            accumulate=self.settings.accumulate,
            share=self._share,
        )

    def validation(self, number: int) -> Iterator[MicroBatch]:
        """Yield this process's share of the held-out batches at the lengths of a phase."""
        if self._held_out is None:
            return
        sampler, make = self._for_validation(number, self._held_out)
        batches = self.settings.validation_batches
        yield from validation(sampler, make, batches=batches, share=self._share)

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
            make_rows(self.settings, self.corpus, number=number),
            held_out,
        )

    @property
    def has_held_out(self) -> bool:
        """Whether there are texts to validate on."""
        return self._held_out is not None

    @property
    def _share(self) -> Share:
        return Share(self._trainer.global_rank, self._trainer.world_size)


class _Data(lightning.LightningDataModule):
    """Hands Lightning the steps of the current phase."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self._training = training

    def train_dataloader(self) -> DataLoader[Step]:
        assert self.trainer is not None
        number = self.trainer.current_epoch
        steps = self._training.steps(number)
        phase = self._training.settings.plan[number]
        micro = phase.steps * self._training.settings.accumulate * self.trainer.world_size
        console.say(
            f"phase {number + 1}: {phase.steps:,} steps at length {phase.max_length},"
            f" {steps.epoch_batches:,} micro-batches an epoch,"
            f" {micro / steps.epoch_batches:.2f} epochs"
            + (f"; {steps.cut_share:.1%} of the tokens are cut to fit" if steps.cut_share else "")
        )
        return steps.loader(workers=self._training.settings.workers)

    def transfer_batch_to_device(
        self, batch: Step, device: torch.device, dataloader_idx: int
    ) -> Step:
        return tuple(part.to(device) for part in batch)


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


def _lightning(settings: PretrainSettings, *, folder: Path) -> lightning.Trainer:
    use_gpu = settings.accelerator != "cpu" and torch.cuda.is_available()
    interactive = console.speaks() and console.interactive()
    with quiet():
        return lightning.Trainer(
            accelerator="gpu" if use_gpu else "cpu",
            devices=settings.devices,
            strategy=_strategy(settings),
            precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
            max_epochs=len(settings.plan),
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
