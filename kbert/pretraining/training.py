"""The loop of pre-training: Lightning, a line every so many steps, validation, weights kept.

A phase is one of Lightning's epochs. Losses stay on the device until a line is due, since reading
them waits for it; then each step's is looked at, so that the first that is no number is named.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, TQDMProgressBar
from pytorch_lightning.strategies import ModelParallelStrategy, Strategy

from kbert import console
from kbert.errors import KbertError
from kbert.guest import as_guest, quiet
from kbert.plans import Share
from kbert.pretraining.curves import Curves
from kbert.pretraining.flops import known_peak, training_flops
from kbert.pretraining.held_out import Part
from kbert.pretraining.module import Pretraining
from kbert.pretraining.objectives import Losses, Score
from kbert.pretraining.parts import for_validation, make_rows, make_sampler, make_weights
from kbert.pretraining.steps import Sampler, Step, Steps, validation

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from kbert.nn.pretraining_heads import LanguageModel
    from kbert.pretraining.rows import MicroBatch, RowMaker
    from kbert.pretraining.settings import PretrainSettings
    from kbert.pretraining.shards import Corpus

_BETA1: Final = 0.9


class Diverged(KbertError):
    """The training came to numbers that are none; every process finds this out at once."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a validation came to: the weighted loss, and each objective's figures."""

    step: int
    loss: float
    scores: dict[str, Score]


@dataclass(slots=True)
class Work:
    """What was done since the last line: of this process, but for the seconds the same in all."""

    steps: int = 0
    tokens: int = 0
    squares: int = 0
    decoded: int = 0
    slots: int = 0
    paused: float = 0.0
    start: float = field(default_factory=time.perf_counter)

    def add(self, step: Step) -> None:
        """Add a step."""
        self.steps += 1
        for part in step:
            self.tokens += part.tokens
            self.squares += part.squares
            self.slots += part.slots
            self.decoded += 0 if part.targets.masked is None else len(part.targets.masked.labels)
            if part.targets.boundary is not None:
                self.decoded += len(part.targets.boundary.labels)

    @property
    def seconds(self) -> float:
        """Seconds of training, without validations."""
        return max(1e-9, time.perf_counter() - self.start - self.paused)


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
        self._trainer.callbacks.append(_Watch(self))  # type: ignore[attr-defined]
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
        )
        return steps.loader(workers=self._training.settings.workers)

    def transfer_batch_to_device(
        self, batch: Step, device: torch.device, dataloader_idx: int
    ) -> Step:
        return tuple(part.to(device) for part in batch)


class _Watch(Callback):
    """Tell of the steps, validate, keep weights, and stop where losses are no numbers."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._work = Work()
        self._read = 0  # steps whose losses were looked at
        self._taken: Losses | None = None

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._work = Work()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        settings = self._training.settings
        self._work.add(batch)
        step = pl_module.steps_done
        ends = batch_idx + 1 == settings.plan[trainer.current_epoch].steps
        validates = ends or step % settings.validate_every == 0
        if validates or step % settings.log_every == 0:
            self._look(pl_module)
        if ends or step % settings.log_every == 0:
            self._tell(trainer, pl_module)
        if validates:
            before = time.perf_counter()
            self._validate(trainer, pl_module)
            self._work.paused += time.perf_counter() - before

    def _look(self, module: Pretraining) -> None:
        """Take the losses of the last steps, over all processes. Raises `Diverged`."""
        taken, module.step_losses = module.step_losses, []
        if not taken:
            return
        sums = module.total(torch.stack([each.sums for each in taken]))
        figures = torch.stack([torch.stack([each.counts, each.correct]) for each in taken])
        counts, correct = module.total(figures).unbind(1)
        for values in sums.tolist():
            self._read += 1
            if not all(map(math.isfinite, values)):
                raise self._diverged(f"step {self._read}: the loss is no number")
        found = Losses(sums.sum(0), counts.sum(0), correct.sum(0))
        self._taken = found if self._taken is None else Losses.combine([self._taken, found])

    def _tell(self, trainer: Any, module: Pretraining) -> None:
        """Write a line of the log, over the steps since the last one."""
        training, work = self._training, self._work
        losses, self._taken, self._work = self._taken, None, Work()
        assert losses is not None
        seconds = work.seconds
        done = torch.tensor([work.tokens, work.squares, work.decoded, work.slots])
        tokens, squares, decoded, slots = module.total(done.to(module.device)).tolist()
        training.tokens += tokens
        training.seconds += seconds
        row = _row(module, losses, phase=trainer.current_epoch + 1, kind="train")
        row |= {"rate": _rate(module), "tokens": training.tokens}
        row["tokens_per_second"] = tokens / seconds
        text = f"{tokens / seconds:,.0f} tokens/s, {1 - tokens / slots:.1%} padding"
        if training.peak is not None:
            flops = training_flops(
                module.model.network.encoder.config, tokens=tokens, squares=squares, decoded=decoded
            )
            row["mfu"] = flops / seconds / training.peak
            text += f", MFU {row['mfu']:.1%}"
        self._write(row, f"{_figures(losses, module)}  {text}")

    def _validate(self, trainer: Any, module: Pretraining) -> None:
        """Measure on held-out texts; keep the weights, unless they are no numbers."""
        training, step = self._training, module.steps_done
        if not module.finite():
            raise self._diverged(f"step {step}: the weights are no numbers")
        if training.has_held_out:
            own = module.evaluate(training.validation(trainer.current_epoch))
            losses = _total(module, own)
            row = _row(module, losses, phase=trainer.current_epoch + 1, kind="held out")
            if not math.isfinite(float(row["loss"])):
                raise self._diverged(f"step {step}: the held-out loss is no number")
            training.measures.append(Measure(step, float(row["loss"]), losses.scores()))
            self._write(row, f"{_figures(losses, module)}")
        network = module.whole_network()
        if training.first:
            training.save(network)
        training.saved_step = step

    def _write(self, row: dict[str, Any], text: str) -> None:
        total = self._training.settings.total_steps
        console.say(f"step {row['step']}/{total}  {row['set']}  {text}")
        if self._training.curves is not None:
            self._training.curves.add(row)

    def _diverged(self, what: str) -> Diverged:
        return Diverged(f"the training diverged at {what}; lower --learning-rate")


def _total(module: Pretraining, own: Losses | None) -> Losses:
    """Add up the losses of all processes, of which some may have none."""
    nothing = torch.zeros(4, device=module.device)
    sums = nothing if own is None else own.sums.float()
    counts = nothing.long() if own is None else own.counts
    correct = nothing.long() if own is None else own.correct
    return Losses(*(module.total(each) for each in (sums, counts, correct)))


def _row(module: Pretraining, losses: Losses, *, phase: int, kind: str) -> dict[str, Any]:
    loss = float(losses.weighted(module.weights, counts=losses.counts))
    row: dict[str, Any] = {"step": module.steps_done, "phase": phase, "set": kind, "loss": loss}
    for name, score in losses.scores().items():
        row |= {f"{name}_{what}": value for what, value in score._asdict().items()}
    return row


def _figures(losses: Losses, module: Pretraining) -> str:
    parts = [f"loss {float(losses.weighted(module.weights, counts=losses.counts)):.4f}"]
    for name, score in losses.scores().items():
        parts.append(f"{name} {score.loss:.4f} ({score.accuracy:.1%})")
    return "  ".join(parts)


def _rate(module: Pretraining) -> float:
    optimiser: Any = module.optimizers()
    return float(optimiser.param_groups[0]["lr"])


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
