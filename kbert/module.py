"""The training step of fine-tuning, and how examples are evaluated.

Which weights are trained, and at which rate, stands in `kbert.depths`; the step itself, its
optimiser and its schedule in `kbert.core`. Evaluation collects predictions by example, over all
processes, and leaves scoring to the task.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kbert.core import Core, Portion
from kbert.depths import Thaw, parameter_groups
from kbert.schedules import Schedule
from kbert.tasks import Encoded, LabelledBatch, Task, labels_in, loss

if TYPE_CHECKING:
    from kbert.batch import Batch


class Training(Core):
    """Train a network whose batches are one micro-batch each: everything but its losses."""

    def __init__(
        self,
        network: nn.Module,
        *,
        learning_rate: float,
        weight_decay: float,
        clip: float,
        warmup_steps: int,
        total_steps: int,
        seed: int,
        schedule: Schedule = "linear",
        layer_decay: float = 1.0,
        unfreeze_epochs: int = 0,
    ) -> None:
        """Bind a network (encoder and head) to a schedule, in optimiser steps.

        `layer_decay` is that of `parameter_groups`, `unfreeze_epochs` that of `Thaw`. What is
        frozen stays so.
        """
        super().__init__(
            learning_rate=learning_rate,
            clip=clip,
            warmup_steps=warmup_steps,
            total_steps=total_steps,
            schedule=schedule,
            seed=seed,
        )
        self.network = network
        self._decay = weight_decay
        self._layer_decay = layer_decay
        self._thaw = Thaw(network, epochs=unfreeze_epochs) if unfreeze_epochs else None

    def parts(self, batch: Any) -> Sequence[Any]:
        """Return the batch."""
        return (batch,)

    def training_step(self, batch: Any, index: int) -> None:
        """Take one optimiser step, and show its loss where a person watches."""
        super().training_step(batch, index)
        if self.trainer.progress_bar_callback is not None:
            self.log("loss", self.taken[-1][1], prog_bar=True, batch_size=1)

    def begin_leg(self, leg: int) -> None:
        """Let further layers join, if they do so gradually.

        Among several processes it is their gradients that are dropped: DDP waits for each weight
        that was trainable at the start, unless it searches the graph for them in every step.
        """
        super().begin_leg(leg)
        if self._thaw is not None and self.trainer.world_size == 1:
            self._thaw.apply(leg)

    def limit_gradients(self) -> Tensor:
        """Limit the norm of the gradient, of the layers that are trained in this epoch."""
        if self._thaw is not None:
            self._thaw.drop_gradients(self.leg)
        return super().limit_gradients()

    def groups(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Group weights by depth and decay: no decay on biases and layer norms."""
        groups = parameter_groups(
            self.network,
            learning_rate=self._rate,
            weight_decay=self._decay,
            layer_decay=self._layer_decay,
        )
        return groups, {}


class FineTuning(Training):
    """Fine-tune a network on a task."""

    def __init__(self, network: nn.Module, task: Task, **training: Any) -> None:
        """Bind a network to a task; `training` is what `Training` takes beside the network."""
        super().__init__(network, **training)
        self.task = task
        self.scores: dict[str, float] = {}
        self._evaluated: Sequence[Encoded] = ()
        self._predicted: list[tuple[int, Any]] = []
        self.predictions: list[Any] = []

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits of a batch."""
        logits: Tensor = self.network(
            batch.token_ids,
            positions=batch.positions,
            segments=batch.segments,
            visibility=batch.visibility,
        )
        return logits

    def whole(self, batch: LabelledBatch) -> Tensor:
        """Count the labels of a batch, at least one."""
        return labels_in(batch.targets)

    def portion(self, part: LabelledBatch, whole: Tensor) -> Portion:
        """Return the loss of a part's labels, each 1 of `whole`."""
        value = loss(self(part.inputs), part.targets, of=whole)
        return Portion(value, value.detach().reshape(1))

    def slots(self, part: LabelledBatch) -> int:
        """Return the token slots of a batch."""
        return part.inputs.token_ids.numel()

    def halves(self, part: LabelledBatch) -> Sequence[LabelledBatch]:
        """Cut a batch into its first and its last examples."""
        count = len(part.examples)
        bounds = (0, count // 2, count) if count > 1 else (0, count)
        return [part.rows(a, b) for a, b in pairwise(bounds)]

    def evaluate(self, encoded: Sequence[Encoded], batches: Iterable[LabelledBatch]) -> None:
        """Put scores and predictions of examples into `scores` and `predictions`.

        `batches` are this process's share of them.
        """
        self._evaluated = encoded
        with self.evaluating():
            for index, batch in enumerate(batches):
                self.test_step(batch.to(self.device), index)
        self.on_test_epoch_end()

    def evaluate_on(self, encoded: Sequence[Encoded]) -> None:
        """Say which examples the coming test is about."""
        self._evaluated = encoded

    def test_step(self, batch: LabelledBatch, index: int) -> None:
        """Predict one batch."""
        words = [self._evaluated[example].words for example in batch.examples]
        labels = self.task.decode(self(batch.inputs), words)
        self._predicted += zip(batch.examples, labels, strict=True)

    def on_test_epoch_end(self) -> None:
        """Gather the predictions of all processes, in the order of the examples, and score them."""
        mine, self._predicted = self._predicted, []
        everyone = [mine]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            everyone = [[] for _ in range(torch.distributed.get_world_size())]
            torch.distributed.all_gather_object(everyone, mine)
        found = dict(pair for part in everyone for pair in part)
        self.predictions = [found[example] for example in range(len(self._evaluated))]
        gold = [example.target for example in self._evaluated]
        self.scores = self.task.score(gold, self.predictions)
