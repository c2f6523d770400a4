"""One optimiser step, the same for all trainings, as Lightning wants it.

A subclass says what a step's micro-batches are and what their losses are; the optimiser is driven
by hand. Everything about a step is a function of its number: the rate comes from the schedule, and
dropout is seeded before it, so nothing drawn earlier matters. Figures and the norm of the gradient
stay on the device until `kbert.driver` reads them.

Where a device runs out of memory the micro-batch is halved, and halved again; losses are divided
by the targets of the whole step, so the step stays the same but for what dropout draws.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from kbert import console
from kbert.errors import SettingsError
from kbert.plans import step_seed
from kbert.schedules import Schedule, rate_factor


class Portion(NamedTuple):
    """What a part of a step adds to it: the loss to be minimised, and figures (F,) to be told.

    The shares of all parts add up to the step, on each process.
    """

    loss: Tensor
    figures: Tensor


class Core(lightning.LightningModule):
    """Train a network; a subclass computes losses."""

    reduce: ClassVar[Literal["mean", "sum"]] = "mean"
    """How figures of several processes become one."""

    def __init__(
        self,
        *,
        learning_rate: float,
        clip: float,
        warmup_steps: int,
        total_steps: int,
        schedule: Schedule,
        seed: int,
    ) -> None:
        """Take the schedule, in optimiser steps; `clip` is the largest norm of the gradient, or 0.

        `seed` is that of dropout.
        """
        super().__init__()
        self.automatic_optimization = False
        self.steps_done = 0
        self.leg = 0  # the epoch, or the phase, that is trained
        self.taken: list[Tensor] = []  # of each step: the gradient's norm, and its figures
        self.most_slots: int | None = None  # that a part may have, where memory ran out
        self._rate = learning_rate
        self._clip = clip
        self._warmup = warmup_steps
        self._total = total_steps
        self._schedule: Schedule = schedule
        self._seed = seed
        self._peaks: list[float] = []

    def groups(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the optimiser's groups, each with its peak rate `lr`, and AdamW's settings."""
        raise NotImplementedError

    def parts(self, batch: Any) -> Sequence[Any]:
        """Return the micro-batches of a step."""
        raise NotImplementedError

    def whole(self, batch: Any) -> Tensor:
        """Return what the losses of a step are divided by."""
        raise NotImplementedError

    def portion(self, part: Any, whole: Tensor) -> Portion:
        """Return what a micro-batch adds to its step."""
        raise NotImplementedError

    def slots(self, part: Any) -> int:
        """Return the token slots of a micro-batch, padding included."""
        raise NotImplementedError

    def halves(self, part: Any) -> Sequence[Any]:
        """Cut a micro-batch in two; one of a single row is returned as it is."""
        raise NotImplementedError

    def begin_leg(self, leg: int) -> None:
        """Take up an epoch or a phase, from 0, at its beginning or midst."""
        self.leg = leg

    def limit_gradients(self) -> Tensor:
        """Limit the norm of the gradient, and return it as it was, ().

        Not left to Lightning, which refuses a fused optimiser in mixed precision: that is for the
        sake of scaled losses, which bfloat16 does not need.
        """
        if self._clip:
            norm = nn.utils.clip_grad_norm_(self.parameters(), self._clip)
        else:
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            norm = nn.utils.get_total_norm(gradients)
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def training_step(self, batch: Any, index: int) -> None:
        """Take one optimiser step, and keep its figures in `taken`."""
        optimiser: Any = self.optimizers()
        factor = self.rate_factor(self.steps_done)
        for group, peak in zip(optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        figures = self._gradients(batch, optimiser)
        norm = self.limit_gradients()
        optimiser.step()
        self.steps_done += 1
        self.taken.append(torch.cat([norm.detach().double().reshape(1), figures.double()]))

    def _gradients(self, batch: Any, optimiser: Any) -> Tensor:
        """Compute the gradients of a step, in parts that fit into memory; return its figures."""
        while True:
            torch.manual_seed(step_seed(self._seed, step=self.steps_done, rank=self.global_rank))
            optimiser.zero_grad()
            parts = [piece for part in self.parts(batch) for piece in self._cut(part)]
            with contextlib.suppress(torch.OutOfMemoryError):
                return self._attempt(parts, self.whole(batch))
            # Out of the handler, so that the traceback no longer holds what filled the memory.
            self._make_smaller(parts)

    def _attempt(self, parts: Sequence[Any], whole: Tensor) -> Tensor:
        taken = []
        for number, part in enumerate(parts):
            with self._exchange(number == len(parts) - 1):
                portion = self.portion(part, whole)
                self.manual_backward(portion.loss)
            taken.append(portion.figures.detach())
        return taken[0] if len(taken) == 1 else torch.stack(taken).sum(0)

    def _exchange(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        """Let processes exchange gradients after the last part of a step, and not before."""
        assert self.trainer is not None
        block = getattr(self.trainer.strategy, "block_backward_sync", None)
        return contextlib.nullcontext() if last or block is None else block()

    def _cut(self, part: Any) -> Iterator[Any]:
        if self.most_slots is None or self.slots(part) <= self.most_slots:
            yield part
            return
        pieces = self.halves(part)
        for piece in pieces:
            yield from self._cut(piece) if len(pieces) > 1 else (piece,)

    def _make_smaller(self, parts: Sequence[Any]) -> None:
        """Halve what a part may hold. Raises `SettingsError` where nothing can be halved."""
        assert self.trainer is not None
        if self.trainer.world_size > 1:  # the others wait within the exchange, and cannot go back
            raise SettingsError("out of memory on one of several devices; take smaller batches")
        if all(len(self.halves(part)) == 1 for part in parts):
            raise SettingsError(
                "out of memory, even with one row at a time; lower --max-length, or take a device"
                " with more memory"
            )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        first = self.most_slots is None
        self.most_slots = max(self.slots(part) for part in parts) // 2
        if first:
            console.say(
                f"note: out of memory in step {self.steps_done + 1}; micro-batches are halved from"
                " here on, and batches stay as they are"
            )

    def finite(self) -> bool:
        """Say whether all weights, of all processes, are numbers."""
        own = [p.to_local() if isinstance(p, DTensor) else p for p in self.parameters()]
        wrong = torch.stack([(~part.isfinite()).sum() for part in own]).sum()
        return not bool(self.total(wrong))

    def total(self, values: Tensor) -> Tensor:
        """Add values up over the processes."""
        assert self.trainer is not None
        summed: Any = self.trainer.strategy.reduce(values.clone(), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Compute without dropout and gradients, in the precision of the training."""
        assert self.trainer is not None
        self.eval()
        try:
            with torch.no_grad(), self.trainer.precision_plugin.forward_context():
                yield
        finally:
            self.train()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build AdamW, with bias correction; the rate is set before each step."""
        groups, options = self.groups()
        self._peaks = [group["lr"] for group in groups]
        return torch.optim.AdamW(groups, lr=self._rate, fused=True, **options)

    def rate_factor(self, step: int) -> float:
        """Return the share of the peak rate at an optimiser step (from 0)."""
        return rate_factor(self._schedule, step, warmup=self._warmup, total=self._total)
