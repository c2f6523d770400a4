"""What a training reads: true triples and fresh negatives, in padded batches of like length.

The examples of an epoch are a function of seed and epoch, and so is which of them make a batch:
they are shuffled, sorted by length within windows of some batches, cut, and the batches shuffled.
A batch has a number of examples, not of tokens, as KG-BERT's have; so the number of steps is known
beforehand, though negatives of other lengths are drawn in every epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from kgbert.negatives import NegativeSampler
    from kgbert.sequences import Sequences

_WINDOW: Final = 50  # batches' worth of examples that are sorted together


class Examples(NamedTuple):
    """Triples (n, 3) and what is to be said of each, a label (n,)."""

    triples: NDArray[np.int32]
    targets: NDArray[np.int64]

    @classmethod
    def joined(cls, true: NDArray[np.int32], false: NDArray[np.int32]) -> Examples:
        """Label true triples (n, 3) with 1, and false ones (m, 3) with 0."""
        targets = np.repeat(np.array([1, 0]), [len(true), len(false)])
        return cls(np.concatenate([true, false]).astype(np.int32), targets)

    @classmethod
    def pairs(cls, triples: NDArray[np.int32]) -> Examples:
        """Label triples (n, 3) with their relations."""
        return cls(triples, triples[:, 1].astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """The examples of each epoch: those that are always `given`, and negatives that are drawn.

    With `static` every epoch has the negatives of the first, as in the original.
    """

    given: Examples
    sampler: NegativeSampler | None = None
    static: bool = False

    def epoch(self, number: int) -> Examples:
        """Return the examples of an epoch, from 0."""
        if self.sampler is None:
            return self.given
        drawn = self.sampler.sample(0 if self.static else number, np.arange(len(self.sampler)))
        triples, targets = self.given
        false = drawn.reshape(-1, 3)
        nought = np.zeros(len(false), dtype=np.int64)
        return Examples(np.concatenate([triples, false]), np.concatenate([targets, nought]))

    def __len__(self) -> int:
        """Count the examples of an epoch."""
        drawn = 0 if self.sampler is None else len(self.sampler) * self.sampler.per_positive
        return len(self.given.targets) + drawn


@dataclass(frozen=True, slots=True, eq=False)
class TripleBatch:
    """Inputs and targets of a step. *Shapes:* ids and segments (B, L) int64, targets (B,) int64.

    Row i is `lengths[i]` tokens and then padding; `lengths` is empty where all rows are full.
    """

    token_ids: Tensor
    segments: Tensor
    targets: Tensor
    lengths: tuple[int, ...]

    def to(self, device: torch.device | str) -> TripleBatch:
        """Move every tensor."""
        token_ids, segments, targets = (
            part.to(device) for part in (self.token_ids, self.segments, self.targets)
        )
        return TripleBatch(token_ids, segments, targets, self.lengths)

    def rows(self, start: int, stop: int) -> TripleBatch:
        """Return some of the rows, padded as they are."""
        size = self.token_ids.shape[1]
        lengths = (self.lengths or (size,) * len(self.targets))[start:stop]
        if all(length == size for length in lengths):
            lengths = ()
        return TripleBatch(
            self.token_ids[start:stop],
            self.segments[start:stop],
            self.targets[start:stop],
            lengths,
        )


def plan_batches(
    lengths: NDArray[np.integer], *, batch_size: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Group examples of like length into batches of `batch_size`, one of them perhaps smaller."""
    draw = np.random.default_rng((seed << 32) + epoch)
    order = draw.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), _WINDOW * batch_size):
        window = order[start : start + _WINDOW * batch_size]
        window = window[np.argsort(-lengths[window].astype(np.int64), kind="stable")]
        batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
    return [batches[i] for i in draw.permutation(len(batches))]


def collate(examples: Examples, *, sequences: Sequences, pad_id: int) -> TripleBatch:
    """Lay out examples (B >= 1) as one batch, padded to the longest."""
    lengths = sequences.lengths(examples.triples)
    shape = len(lengths), int(lengths.max())
    token_ids, segments = np.full(shape, pad_id, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        laid_out = sequences.assemble(examples.triples[rows])
        token_ids[rows, :length], segments[rows, :length] = laid_out
    full = bool((lengths == shape[1]).all())
    return TripleBatch(
        torch.from_numpy(token_ids),
        torch.from_numpy(segments),
        torch.from_numpy(examples.targets.astype(np.int64)),
        () if full else tuple(lengths.tolist()),
    )


class Steps(Dataset[TripleBatch]):
    """The batches of an epoch; item i is a whole batch."""

    def __init__(
        self,
        examples: Examples,
        plan: Sequence[NDArray[np.int64]],
        *,
        sequences: Sequences,
        pad_id: int,
    ) -> None:
        """Bind examples to a plan."""
        self._examples = examples
        self._plan = plan
        self._sequences = sequences
        self._pad_id = pad_id

    def __len__(self) -> int:
        """Count the batches."""
        return len(self._plan)

    def examples(self, index: int) -> Examples:
        """Return the examples of batch `index`. Raises `IndexError`."""
        chosen = self._plan[index]
        return Examples(self._examples.triples[chosen], self._examples.targets[chosen])

    def __getitem__(self, index: int) -> TripleBatch:
        """Lay out batch `index`. Raises `IndexError`."""
        return collate(self.examples(index), sequences=self._sequences, pad_id=self._pad_id)
