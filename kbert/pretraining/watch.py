"""What is told, measured, kept and refused while pre-training goes on: a callback of Lightning's.

Losses stay on the device until a line is due, since reading them waits for it; then each step's is
looked at, so that the first that is no number is named.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.callbacks import Callback

from kbert import console
from kbert.errors import Diverged
from kbert.eta import Eta
from kbert.pretraining.flops import training_flops
from kbert.pretraining.objectives import Losses, Score, described

if TYPE_CHECKING:
    from kbert.pretraining.module import Pretraining
    from kbert.pretraining.steps import Step
    from kbert.pretraining.training import Training


@dataclass(frozen=True, slots=True)
class Measure:
    """What a validation came to: the weighted loss, and each objective's figures."""

    step: int
    loss: float
    scores: dict[str, Score]


@dataclass(slots=True)
class Work:
    """What this process did since the last line; `paused` are the seconds of validations."""

    tokens: int = 0
    squares: int = 0
    decoded: int = 0
    slots: int = 0
    paused: float = 0.0
    start: float = field(default_factory=time.perf_counter)

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
        return max(1e-9, time.perf_counter() - self.start - self.paused)


class Watch(Callback):
    """Tell of the steps, validate, keep weights, and stop where losses are no numbers."""

    def __init__(self, training: Training) -> None:
        """Bind the training, whose measures and counters are written."""
        self._training = training
        self._work = Work()
        self._read = 0  # steps whose losses were looked at
        self._taken: Losses | None = None
        self._eta = Eta.for_log(training.settings.total_steps)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to count."""
        self._work = Work()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at losses, write a line, validate, each in its time."""
        settings = self._training.settings
        self._work.add(batch)
        step = pl_module.steps_done
        self._eta.step(step)
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
        if training.processes.first:
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
    for name, figures in described(losses.scores()).items():
        row |= {f"{name}_{what}": value for what, value in figures.items()}
    return row


def _figures(losses: Losses, module: Pretraining) -> str:
    parts = [f"loss {float(losses.weighted(module.weights, counts=losses.counts)):.4f}"]
    for name, score in losses.scores().items():
        more = f", perplexity {score.perplexity:.4g}" if name == "causal" else ""
        parts.append(f"{name} {score.loss:.4f} ({score.accuracy:.1%}{more})")
    return "  ".join(parts)


def _rate(module: Pretraining) -> float:
    optimiser: Any = module.optimizers()
    return float(optimiser.param_groups[0]["lr"])
