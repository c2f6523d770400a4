"""The training step of pre-training.

A step is several micro-batches, whose losses are divided by the targets of the whole step, over
all processes: so however a step is cut up, it is the step on the one big batch. No decay on biases
and layer norms. The step itself, its optimiser and its schedule stand in `kbert.core`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard

from kbert.core import Core, Portion
from kbert.nn import Encoder, LanguageModel
from kbert.pretraining.halving import halves
from kbert.pretraining.objectives import Losses, PretrainingModel, Weights
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.steps import Step
from kbert.pretraining.targets import count
from kbert.schedules import Schedule


class Pretraining(Core):
    """Pre-train a language model; the figures of a step are those of its `Losses`, end to end."""

    reduce: ClassVar[Literal["mean", "sum"]] = "sum"

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
        seed: int,
    ) -> None:
        """Bind a network to a schedule, in optimiser steps; `clip` of 0 sets no limit.

        With `sharded` each process holds a share of the weights, and gathers a layer's when it is
        computed (FSDP); all processes must then call the methods together.
        """
        super().__init__(
            learning_rate=learning_rate,
            clip=clip,
            warmup_steps=warmup_steps,
            total_steps=total_steps,
            schedule=schedule,
            seed=seed,
        )
        self.model = PretrainingModel(network)
        self.weights = weights
        self._decay = weight_decay
        self._betas = betas
        self._epsilon = epsilon
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

    def parts(self, batch: Step) -> Sequence[MicroBatch]:
        """Return the micro-batches of a step."""
        return batch

    def whole(self, batch: Step) -> Tensor:
        """Count the targets of a step (P,), over all processes."""
        return self.total(count([part.targets for part in batch]).to(self.device))

    def portion(self, part: MicroBatch, whole: Tensor) -> Portion:
        """Return the losses of a micro-batch."""
        assert self.trainer is not None
        losses: Losses = self.model(part.inputs, part.targets)
        # Gradients are averaged over the processes, and wanted is their sum.
        value = losses.weighted(self.weights, counts=whole) * self.trainer.world_size
        figures = (losses.sums.detach(), losses.counts, losses.correct)
        return Portion(value, torch.cat([each.double() for each in figures]))

    def slots(self, part: MicroBatch) -> int:
        """Return the token slots of a micro-batch."""
        return part.inputs.token_ids.numel()

    def halves(self, part: MicroBatch) -> Sequence[MicroBatch]:
        """Cut a micro-batch into its first and its last rows."""
        return halves(part)

    def _exchange(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        if isinstance(self.model, FSDPModule):
            self.model.set_requires_gradient_sync(last)
            return contextlib.nullcontext()
        return super()._exchange(last)

    def evaluate(self, batches: Iterable[MicroBatch]) -> Losses | None:
        """Return the losses of batches without dropout, of this process alone; None of none."""
        taken = []
        with self.evaluating():
            for part in batches:
                moved = part.to(self.device)
                taken.append(self.model(moved.inputs, moved.targets))
        return Losses.combine(taken) if taken else None

    def groups(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Let matrices decay, and nothing else."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in trained if p.ndim > 1],
                "weight_decay": self._decay,
                "lr": self._rate,
            },
            {
                "params": [p for p in trained if p.ndim < 2],
                "weight_decay": 0.0,
                "lr": self._rate,
            },
        ]
        return groups, {"betas": self._betas, "eps": self._epsilon}
