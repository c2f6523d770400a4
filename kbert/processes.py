"""The processes of a training: Lightning's trainer as our trainings set it up, and what they ask.

Both fine-tuning and pre-training plan their batches themselves, keep weights themselves and write
their own reports, so of Lightning they take devices, processes, precision and the loop alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import TQDMProgressBar

from kbert import console
from kbert.errors import Diverged, Stopped
from kbert.guest import as_guest, quiet
from kbert.plans import Share

if TYPE_CHECKING:
    from pytorch_lightning.strategies import Strategy


class Machine(Protocol):
    """Settings that say where to train."""

    @property
    def accelerator(self) -> Literal["auto", "cpu", "gpu"]:
        """`auto` takes a GPU if there is one."""

    @property
    def devices(self) -> int:
        """How many, each with a process."""

    @property
    def precision(self) -> Literal["32", "bf16"]:
        """With `bf16` products are computed in bfloat16, and weights kept in 32 bits."""


class Processes:
    """The processes that train together, as one of them sees them."""

    def __init__(
        self, machine: Machine, *, legs: int, strategy: Strategy | str, folder: Path
    ) -> None:
        """Set the trainer up for so many legs; what Lightning writes goes to `folder`."""
        use_gpu = machine.accelerator != "cpu" and torch.cuda.is_available()
        interactive = console.speaks() and console.interactive()
        with quiet():
            self.trainer = lightning.Trainer(
                accelerator="gpu" if use_gpu else "cpu",
                devices=machine.devices,
                strategy=strategy,
                precision="bf16-mixed" if machine.precision == "bf16" else "32-true",
                max_epochs=legs,
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

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self.trainer.is_global_zero)

    @property
    def share(self) -> Share:
        """Which of the processes this one is."""
        return Share(int(self.trainer.global_rank), int(self.trainer.world_size))

    @property
    def device(self) -> str:
        """Where the training runs, for people."""
        name = type(self.trainer.accelerator).__name__.removesuffix("Accelerator")
        return f"{self.trainer.world_size} x {name}"

    def barrier(self) -> None:
        """Wait for the other processes."""
        self.trainer.strategy.barrier()

    @contextmanager
    def training(self) -> Iterator[lightning.Trainer]:
        """Yield the trainer to train with; how a training ended is told by the first process.

        The others then end in silence: with another status than 0 Lightning would kill the one
        that can tell.
        """
        try:
            with as_guest(self.trainer):
                yield self.trainer
        except (Diverged, Stopped):
            if not self.first:
                sys.exit(0)
            raise
