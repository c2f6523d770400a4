"""Trees become tensors: `Batch`, and the plan that says which examples share a batch.

The only place where Python objects turn into tensors. A batch is as long as its longest tree, so a
plan puts trees of like length together, under a budget of tokens rather than of sentences; that is
where the speed is: the original pads every sentence to 256, and `benchmarks.finetune_step` measures
what share of the slots that wastes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from kbert.nn.visibility import Visibility

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.tree import SentenceTree

_WINDOW = 50  # batches' worth of examples that are sorted together; random across windows


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of an encoder. *Shapes:* ids, positions, segments (B, L) int64; lengths (B,)."""

    token_ids: Tensor
    positions: Tensor
    segments: Tensor
    visibility: Visibility
    lengths: Tensor

    @classmethod
    def from_trees(cls, trees: Sequence[SentenceTree], *, pad_id: int) -> Batch:
        """Stack trees, padded to the longest of them."""
        return cls.from_arrays([tree.array() for tree in trees], pad_id=pad_id)

    @classmethod
    def from_arrays(cls, arrays: Sequence[NDArray[np.int32]], *, pad_id: int) -> Batch:
        """Stack what `SentenceTree.array` gave: each (6, length)."""
        if not arrays:
            raise ValueError("a batch needs at least one tree")
        lengths = np.array([array.shape[1] for array in arrays])
        stacked = np.zeros((6, len(arrays), int(lengths.max())), dtype=np.int32)
        stacked[0] = pad_id
        # A row's padding is the trunk of a document of its own: it sees itself alone, and nothing
        # else sees it. A token that sees nothing would make NaN.
        stacked[4:] = 1
        for row, array in enumerate(arrays):
            stacked[:, row, : array.shape[1]] = array
        document = (np.arange(stacked.shape[2]) >= lengths[:, None]).astype(np.int32)
        ids, positions, segments, enter, leave, trunk = torch.from_numpy(stacked)
        zeros = torch.zeros_like(enter)
        visibility = Visibility(
            document=torch.from_numpy(document),
            enter=enter,
            leave=leave,
            trunk=trunk.bool(),
            query_rank=zeros,
            key_rank=zeros,
        )
        return cls(
            ids.long(), positions.long(), segments.long(), visibility, torch.from_numpy(lengths)
        )

    def to(self, device: torch.device | str) -> Batch:
        """Move every tensor."""
        return Batch(
            self.token_ids.to(device),
            self.positions.to(device),
            self.segments.to(device),
            self.visibility.to(device),
            self.lengths.to(device),
        )

    def rows(self, start: int, stop: int) -> Batch:
        """Return some of the rows, padded as they are."""
        return Batch(
            self.token_ids[start:stop],
            self.positions[start:stop],
            self.segments[start:stop],
            self.visibility.rows(start, stop),
            self.lengths[start:stop],
        )

    @property
    def padding_share(self) -> float:
        """Say which share of the token slots is padding, 0 to 1."""
        return 1.0 - float(self.lengths.sum()) / self.token_ids.numel()


def batches(
    trees: Sequence[SentenceTree], *, pad_id: int, max_tokens: int, device: torch.device | str
) -> Iterator[tuple[tuple[int, ...], Batch]]:
    """Yield (which trees, their batch) until all had their turn, those of like length together."""
    for chosen in plan_batches([len(tree) for tree in trees], max_tokens=max_tokens, seed=None):
        batch = Batch.from_trees([trees[number] for number in chosen], pad_id=pad_id)
        yield chosen, batch.to(device)


def plan_batches(
    lengths: Sequence[int] | NDArray[np.integer], *, max_tokens: int, seed: int | None
) -> list[tuple[int, ...]]:
    """Group examples of like length: each batch holds at most `max_tokens` slots, padding included.

    With a seed the order is random: examples are shuffled, sorted within windows of some fifty
    batches, cut, and the batches shuffled; the plan is a function of its arguments alone. With
    None examples are sorted by length, longest first, so that memory runs out at once or never.
    An example longer than the budget is a batch of its own.
    """
    order = np.arange(len(lengths))
    sizes = np.asarray(lengths, dtype=np.int64)
    if seed is None:
        order = order[np.argsort(-sizes, kind="stable")]
        return _cut(order, sizes, max_tokens=max_tokens)
    draw = np.random.default_rng(seed)
    draw.shuffle(order)
    window = max(1, int(_WINDOW * max_tokens / max(1.0, float(sizes.mean()))) if len(order) else 1)
    plan: list[tuple[int, ...]] = []
    for start in range(0, len(order), window):
        part = order[start : start + window]
        plan += _cut(part[np.argsort(-sizes[part], kind="stable")], sizes, max_tokens=max_tokens)
    return [plan[i] for i in draw.permutation(len(plan))]


def _cut(
    order: NDArray[np.int64], sizes: NDArray[np.int64], *, max_tokens: int
) -> list[tuple[int, ...]]:
    """Cut a list that is sorted longest first: a batch's first example sets its length."""
    plan = []
    start = 0
    while start < len(order):
        count = max(1, max_tokens // max(1, int(sizes[order[start]])))
        plan.append(tuple(int(i) for i in order[start : start + count]))
        start += count
    return plan
