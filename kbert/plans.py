"""Which examples make a batch, in which step, on which process; and the batches as a data set.

A plan is a function of the lengths, the seed, the epoch and the number of processes, so it can be
made anew anywhere, and nothing about it has to be stored. Loading is torch's; Lightning is not
known here.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from torch.utils.data import DataLoader, Dataset

from kbert.batch import plan_batches
from kbert.tasks import Encoded, LabelledBatch, Task, collate

Plan: TypeAlias = list[tuple[int, ...]]
_EVALUATION_FACTOR = 2  # no gradients are kept, so twice the tokens fit


class Share(NamedTuple):
    """Which of the processes this one is."""

    rank: int
    world: int


class Steps(Dataset[LabelledBatch]):
    """The batches of a plan; item i is a whole batch."""

    def __init__(self, encoded: Sequence[Encoded], plan: Plan, *, task: Task, pad_id: int) -> None:
        """Bind examples to a plan."""
        self._encoded = encoded
        self._plan = plan
        self._task = task
        self._pad_id = pad_id

    def __len__(self) -> int:
        """Count the batches."""
        return len(self._plan)

    def __getitem__(self, index: int) -> LabelledBatch:
        """Collate batch `index`."""
        examples = self._plan[index]
        chosen = [self._encoded[example] for example in examples]
        return collate(self._task, chosen, examples, pad_id=self._pad_id)


def training_plan(
    sizes: Sequence[int], *, max_tokens: int, seed: int, epoch: int, share: Share
) -> Plan:
    """Plan a process's batches of an epoch over examples of these `lengths`.

    All processes have equally many. Where batches do not divide evenly the first ones are taken
    twice: nothing is left out.
    """
    plan = plan_batches(sizes, max_tokens=max_tokens, seed=(seed << 32) + epoch)
    plan += (plan * share.world)[: -len(plan) % share.world]
    return plan[share.rank :: share.world]


def evaluation_plan(sizes: Sequence[int], *, max_tokens: int, share: Share) -> Plan:
    """Plan a process's share of the examples, in batches sorted by length.

    Every process needs a batch (Lightning refuses an empty share), so where there are fewer
    examples than processes one is predicted twice; predictions are kept by example.
    """
    mine = range(len(sizes))[share.rank :: share.world] or range(1)
    plan = plan_batches(
        [sizes[example] for example in mine], max_tokens=max_tokens * _EVALUATION_FACTOR, seed=None
    )
    return [tuple(mine[i] for i in batch) for batch in plan]


def padding_share(sizes: Sequence[int], plan: Plan) -> float:
    """Say which share of a plan's token slots is padding, 0 to 1."""
    slots = sum(len(batch) * max(sizes[i] for i in batch) for batch in plan)
    return 1.0 - sum(sizes[i] for batch in plan for i in batch) / slots


def lengths(encoded: Sequence[Encoded]) -> list[int]:
    """Return the number of tokens of each example, facts included."""
    return [example.array.shape[1] for example in encoded]


def step_seed(seed: int, *, step: int, rank: int) -> int:
    """Return what to seed a process's dropout with before an optimiser step (from 0).

    So what is drawn is a function of the step, whatever was drawn before, or in another run.
    """
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0])


def loader(steps: Dataset[Any], *, start: int, workers: int) -> DataLoader[Any]:
    """Load items from `start` on in their order, with that many processes (0: this one).

    An interrupt is for the process that trains; workers that end by it would end the step.
    """
    size = len(steps)  # type: ignore[arg-type]
    return DataLoader(
        steps,
        batch_size=None,
        sampler=range(start, size),
        num_workers=workers,
        worker_init_fn=_undisturbed if workers else None,
    )


def _undisturbed(worker: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
