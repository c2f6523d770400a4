"""Training steps under a clock: contenders train in turns, so that noise meets them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import torch
from torch import Tensor, nn

CLIP: Final = 1.0

S = TypeVar("S")
K = TypeVar("K", bound=Hashable)


class Trainer(Generic[S]):
    """Trains one network in one precision, with an optimiser of its own, over the same steps."""

    def __init__(
        self,
        network: nn.Module,
        steps: Sequence[S],
        loss: Callable[[nn.Module, S], Tensor],
        *,
        precision: str,
    ) -> None:
        """Make AdamW as kbert does: fused, no decay on biases and norms."""
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        groups = [
            {"params": [p for p in weights if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._network, self._steps, self._loss = network, steps, loss
        self._weights, self._device = weights, weights[0].device.type
        self._bf16 = precision == "bf16"
        self._optimiser = torch.optim.AdamW(groups, lr=1e-4, fused=True)

    def train(self, *, limit: int | None = None) -> float:
        """Take the steps of one round, or the first few; return the seconds.

        On the GPU, and with several threads, seconds are those of the clock on the wall. With one
        thread they are those of the processor, so that what else runs on the machine counts little.
        """
        self._network.train()
        clock = self._clock()
        start = clock()
        for step in self._steps[:limit]:
            self._optimiser.zero_grad(set_to_none=True)
            with torch.autocast(self._device, dtype=torch.bfloat16, enabled=self._bf16):
                loss = self._loss(self._network, step)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._weights, CLIP)
            self._optimiser.step()
        if self._device == "cuda":
            torch.cuda.synchronize()
        return clock() - start

    def _clock(self) -> Callable[[], float]:
        if self._device == "cuda":
            torch.cuda.synchronize()
        return time.process_time if clock_name(self._device) == "processor" else time.perf_counter


def clock_name(device: str) -> str:
    """Say which clock `Trainer.train` reads: that of the processor or the one on the wall."""
    return "processor" if device == "cpu" and torch.get_num_threads() == 1 else "wall"


def in_turns(
    trainers: Mapping[K, Trainer[S]], *, rounds: int, warm_up: int
) -> dict[K, list[float]]:
    """Return the seconds of each round of each; they take turns, in rotating order."""
    for trainer in trainers.values():
        trainer.train(limit=warm_up)
    seconds: dict[K, list[float]] = {name: [] for name in trainers}
    names = list(trainers)
    for number in range(rounds):
        shift = number % len(names)
        for name in (*names[shift:], *names[:shift]):
            seconds[name].append(trainers[name].train())
    return seconds
