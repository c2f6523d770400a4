"""The training step of pre-training, as Lightning wants it; nothing else.

A step is several micro-batches, whose losses are divided by the targets of the whole step, over
all processes: so however a step is cut up, it is the step on the one big batch. Lightning's own
accumulation averages means, so the optimiser is driven by hand. AdamW with bias correction; no
decay on biases and layer norms. How the rate goes stands in `kbert.schedules`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from kbert.nn import Encoder, LanguageModel
from kbert.pretraining.objectives import Losses, PretrainingModel, Weights
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.steps import Step
from kbert.pretraining.targets import count
from kbert.schedules import Schedule, rate_factor


class Pretraining(lightning.LightningModule):
    """Pre-train a language model."""

    def __init__(
        self,
        network: LanguageModel,
        *,
        weights: Weights,
        learning_rate: float,
        warmup_steps: int,
        total_steps: int,
        schedule: Schedule,
        weight_decay: float,
        betas: tuple[float, float],
        epsilon: float,
        clip: float,
        sharded: bool,
    ) -> None:
        """Bind a network to a schedule, in optimiser steps; `clip` of 0 sets no limit.

        With `sharded` each process holds a share of the weights, and gathers a layer's when it is
        computed (FSDP); all processes must then call the methods together.
        """
        super().__init__()
        self.automatic_optimization = False
        self.model = PretrainingModel(network)
        self.weights = weights
        self.steps_done = 0
        self.step_losses: list[Losses] = []
        self._rate = learning_rate
        self._warmup = warmup_steps
        self._total = total_steps
        self._schedule: Schedule = schedule
        self._decay = weight_decay
        self._betas = betas
        self._epsilon = epsilon
        self._clip = clip
        self._sharded = sharded

    def configure_model(self) -> None:
        """Cut the weights up, if they are to be."""
        if not self._sharded or isinstance(self.model, FSDPModule):
            return
        mesh = self.device_mesh["data_parallel"]  # type: ignore[index]
        for layer in self.model.network.encoder.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(self.model, mesh=mesh, reshard_after_forward=True)

    def whole_network(self) -> LanguageModel:
        """Return the network with all of its weights; sharded ones are gathered on the CPU.

        There only the first process gets them; the others get a network without weights.
        """
        network = self.model.network
        if not self._sharded:
            return network
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights = get_model_state_dict(network, options=options)
        with torch.device("meta"):
            whole = LanguageModel(
                Encoder(network.encoder.config),
                relation_labels=network.relation.out_features if network.relation else 0,
                boundary_positions=network.boundary.offset.num_embeddings
                if network.boundary
                else 0,
            )
        if self.global_rank == 0:
            whole.load_state_dict(weights, assign=True)
        return whole

    def finite(self) -> bool:
        """Say whether all weights, of all processes, are numbers."""
        own = [p.to_local() if isinstance(p, DTensor) else p for p in self.model.parameters()]
        wrong = torch.stack([(~part.isfinite()).sum() for part in own]).sum()
        return not bool(self.total(wrong))

    def training_step(self, batch: Step, index: int) -> None:
        """Take one optimiser step over the micro-batches of `batch`.

        The step's losses, of this process alone, are put into `step_losses`.
        """
        assert self.trainer is not None
        strategy = self.trainer.strategy
        optimiser: Any = self.optimizers()
        mine = count([part.targets for part in batch]).to(self.device)
        everyone: Any = strategy.reduce(mine.clone(), reduce_op="sum")
        for group in optimiser.param_groups:
            group["lr"] = self._rate * self.rate_factor(self.steps_done)
        optimiser.zero_grad()
        taken = []
        for number, part in enumerate(batch):
            last = number == len(batch) - 1
            with self._exchange(last):
                losses = self.model(part.inputs, part.targets)
                # Gradients are averaged over the processes, and wanted is their sum.
                value = losses.weighted(self.weights, counts=everyone) * self.trainer.world_size
                self.manual_backward(value)
            taken.append(losses.detach())
        if self._clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
        optimiser.step()
        self.steps_done += 1
        self.step_losses.append(Losses.combine(taken))

    def _exchange(self, last: bool) -> Any:
        """Let processes exchange gradients after the last micro-batch of a step, and not before."""
        assert self.trainer is not None
        if isinstance(self.model, FSDPModule):
            self.model.set_requires_gradient_sync(last)
            return contextlib.nullcontext()
        block = getattr(self.trainer.strategy, "block_backward_sync", None)
        return contextlib.nullcontext() if last or block is None else block()

    def evaluate(self, batches: Iterable[MicroBatch]) -> Losses | None:
        """Return the losses of batches without dropout, of this process alone; None of none."""
        assert self.trainer is not None
        taken = []
        self.model.eval()
        with torch.no_grad(), self.trainer.precision_plugin.forward_context():
            for part in batches:
                moved = part.to(self.device)
                taken.append(self.model(moved.inputs, moved.targets))
        self.model.train()
        return Losses.combine(taken) if taken else None

    def total(self, values: Tensor) -> Tensor:
        """Add values up over the processes."""
        assert self.trainer is not None
        summed: Any = self.trainer.strategy.reduce(values.clone(), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build AdamW."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self._decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(
            groups, lr=self._rate, betas=self._betas, eps=self._epsilon, fused=True
        )

    def rate_factor(self, step: int) -> float:
        """Return the share of the peak rate at an optimiser step (from 0)."""
        return rate_factor(self._schedule, step, warmup=self._warmup, total=self._total)
