"""The training step, the optimiser and the schedule, as Lightning wants them; nothing else.

AdamW with bias correction; no decay on biases and layer norms. How the rate goes stands in
`kbert.schedules`; which weights are trained, and at which rate, in `kbert.depths`. Evaluation
collects predictions by example, over all processes, and leaves scoring to the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from kbert.depths import Thaw, parameter_groups
from kbert.schedules import Schedule, rate_factor
from kbert.tasks import Encoded, LabelledBatch, Task, loss

if TYPE_CHECKING:
    from pytorch_lightning.utilities.types import OptimizerLRScheduler

    from kbert.batch import Batch


class Training(lightning.LightningModule):
    """Train a network: everything but what a step computes.

    A subclass puts the loss of each step into `losses`, from which they are read now and then, and
    what an evaluation came to into `scores`.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        learning_rate: float,
        weight_decay: float,
        clip: float,
        warmup_steps: int,
        total_steps: int,
        schedule: Schedule = "linear",
        layer_decay: float = 1.0,
        unfreeze_epochs: int = 0,
    ) -> None:
        """Bind a network (encoder and head) to a schedule, in optimiser steps.

        `clip` is the largest norm of the gradient; 0 sets no limit. `layer_decay` is that of
        `parameter_groups`, `unfreeze_epochs` that of `Thaw`. What is frozen stays so.
        """
        super().__init__()
        self.network = network
        self._rate = learning_rate
        self._decay = weight_decay
        self._clip = clip
        self._warmup = warmup_steps
        self._total = total_steps
        self._schedule: Schedule = schedule
        self._layer_decay = layer_decay
        self._thaw = Thaw(network, epochs=unfreeze_epochs) if unfreeze_epochs else None
        self.scores: dict[str, float] = {}
        self.losses: list[Tensor] = []

    def keep_loss(self, value: Tensor, *, examples: int) -> Tensor:
        """Remember the loss of a step over so many examples, and return it."""
        self.losses.append(value.detach())  # read once an epoch: reading waits for the device
        self.log("loss", value.detach(), prog_bar=True, batch_size=examples)
        return value

    def on_train_epoch_start(self) -> None:
        """Let further layers join, if they do so gradually.

        Among several processes it is their gradients that are dropped: DDP waits for each weight
        that was trainable at the start, unless it searches the graph for them in every step.
        """
        if self._thaw is not None and self.trainer.world_size == 1:
            self._thaw.apply(self.current_epoch)

    def configure_gradient_clipping(self, *_: object, **__: object) -> None:
        """Limit the norm of the gradient, of the layers that are trained in this epoch.

        Not left to Lightning, which refuses a fused optimiser in mixed precision: that is for the
        sake of scaled losses, which bfloat16 does not need.
        """
        if self._thaw is not None:
            self._thaw.drop_gradients(self.current_epoch)
        if self._clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._clip)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build AdamW and its schedule."""
        groups = parameter_groups(
            self.network,
            learning_rate=self._rate,
            weight_decay=self._decay,
            layer_decay=self._layer_decay,
        )
        optimiser = torch.optim.AdamW(groups, lr=self._rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self.rate_factor)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def rate_factor(self, step: int) -> float:
        """Return the share of the peak rate at an optimiser step (from 0)."""
        return rate_factor(self._schedule, step, warmup=self._warmup, total=self._total)


class FineTuning(Training):
    """Fine-tune a network on a task."""

    def __init__(self, network: nn.Module, task: Task, **training: Any) -> None:
        """Bind a network to a task; `training` is what `Training` takes beside the network."""
        super().__init__(network, **training)
        self.task = task
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

    def training_step(self, batch: LabelledBatch, index: int) -> Tensor:
        """Return the loss of one step."""
        value = loss(self(batch.inputs), batch.targets)
        return self.keep_loss(value, examples=len(batch.examples))

    def evaluate_on(self, encoded: Sequence[Encoded]) -> None:
        """Say which examples the coming evaluation is about."""
        self._evaluated = encoded

    def validation_step(self, batch: LabelledBatch, index: int) -> None:
        """Predict one batch."""
        words = [self._evaluated[example].words for example in batch.examples]
        labels = self.task.decode(self(batch.inputs), words)
        self._predicted += zip(batch.examples, labels, strict=True)

    def on_validation_epoch_end(self) -> None:
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

    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end
