"""Which sequences make a step: micro-batch i of a phase is a function of the settings and i.

A phase goes through epochs, each with its own pairs and order, and a step may end in another epoch
than it began in. Micro-batch i of all belongs to process i mod `world`. Loading is torch's;
Lightning is not known here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from torch.utils.data import Dataset

from kbert.batch import plan_batches
from kbert.errors import DataError
from kbert.plans import Share
from kbert.pretraining.full_sentences import full_sentences
from kbert.pretraining.held_out import Part
from kbert.pretraining.packing import Batches, pack
from kbert.pretraining.pairs import Pairs, draw_pairs
from kbert.pretraining.rows import MicroBatch, RowMaker
from kbert.pretraining.settings import Phase

Step: TypeAlias = tuple[MicroBatch, ...]


class Epoch(NamedTuple):
    """The pairs of an epoch, and the rows of each of its batches."""

    number: int
    pairs: Pairs
    batches: Batches


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Draws the sequences of a part of a corpus; `seed` is below 2**48.

    With `full_batches` packed batches have equally many rows, the last ones of an epoch empty, so
    that what was compiled for one shape serves them all.
    """

    part: Part
    relation: str
    max_length: int
    batch_tokens: int
    seed: int
    packing: bool
    full_batches: bool
    short_probability: float
    google_quirks: bool
    dupe_factor: int | None

    def pairs(self, epoch: int) -> Pairs:
        """Return the pairs of an epoch, as ranges of the corpus's tokens."""
        part = self.part
        if self.relation == "none":
            drawn = full_sentences(
                sentences=part.sentences, documents=part.documents, max_length=self.max_length
            )
        else:
            drawn = draw_pairs(
                sentences=part.sentences,
                documents=part.documents,
                relation=self.relation,
                max_length=self.max_length,
                seed=self.seed,
                epoch=epoch if self.dupe_factor is None else epoch % self.dupe_factor,
                short_probability=self.short_probability,
                google_quirks=self.google_quirks,
            )
        return part.in_corpus(drawn)

    def epoch(self, number: int, *, shuffled: bool = True) -> Epoch:
        """Return an epoch, from 0; its order is random, or that of the plan makers."""
        pairs = self.pairs(number)
        seed = (self.seed << 32) + number if shuffled else None
        if self.packing:
            packed = pack(pairs.lengths, max_length=self.max_length, seed=seed)
            batches = packed.batches(max_tokens=self.batch_tokens, full=self.full_batches)
            return Epoch(number, pairs, batches)
        plan = plan_batches(pairs.lengths, max_tokens=self.batch_tokens, seed=seed)
        return Epoch(number, pairs, Batches.alone(plan))

    def micro_batch(self, epoch: Epoch, index: int, *, make: RowMaker) -> MicroBatch:
        """Make batch `index` of an epoch."""
        rows = epoch.batches[index]
        length = self.max_length
        if not self.packing:
            length = int(epoch.pairs.take([row[0] for row in rows]).lengths.max())
        return make(epoch.pairs, rows, epoch=epoch.number, length=length)


class Steps(Dataset[Step]):
    """The steps of a phase for one process; item i holds the micro-batches of step i."""

    def __init__(
        self, sampler: Sampler, make: RowMaker, *, phase: Phase, accumulate: int, share: Share
    ) -> None:
        """Bind what makes batches to the process that takes them.

        Raises `DataError` if the texts have no sequence.
        """
        self._sampler = sampler
        self._make = make
        self._phase = phase
        self._accumulate = accumulate
        self._share = share
        self._starts = [0]  # of each epoch known so far, in micro-batches; and the last one's end
        self._current = sampler.epoch(0)
        if not self._current.batches:
            raise DataError("the corpus has no sentence to train on; give it more documents")
        self._starts.append(len(self._current.batches))
        self.cut_share = self._current.pairs.cut_share
        """Share of the first epoch's tokens that were cut off so that sequences fit."""

    def __len__(self) -> int:
        """Count the steps."""
        return self._phase.steps

    @property
    def epoch_batches(self) -> int:
        """Micro-batches of the first epoch, of all processes."""
        return self._starts[1]

    def __getitem__(self, step: int) -> Step:
        """Make the micro-batches of a step."""
        if not 0 <= step < len(self):
            raise IndexError(f"step {step} of {len(self)}")
        return tuple(self._micro_batch(number) for number in self._numbers(step))

    def named(self, step: int) -> list[str]:
        """Name the sequences of a step, of all processes, for people."""
        world = self._share.world
        size, found = self._accumulate * world, []
        for number in range(step * size, (step + 1) * size):
            epoch, index = self._find(number)
            rows = epoch.batches[index]
            found += [f"{n + 1} of epoch {epoch.number + 1}" for row in rows for n in row]
        return found

    def _numbers(self, step: int) -> Iterator[int]:
        rank, world = self._share
        for turn in range(self._accumulate):
            yield (step * self._accumulate + turn) * world + rank

    def _micro_batch(self, number: int) -> MicroBatch:
        epoch, index = self._find(number)
        return self._sampler.micro_batch(epoch, index, make=self._make)

    def _find(self, number: int) -> tuple[Epoch, int]:
        """Return the epoch of a micro-batch, and its place there."""
        while self._starts[-1] <= number:
            self._current = self._sampler.epoch(len(self._starts) - 1)
            self._starts.append(self._starts[-1] + len(self._current.batches))
        epoch = next(e for e, end in enumerate(self._starts[1:]) if number < end)
        if epoch != self._current.number:
            self._current = self._sampler.epoch(epoch)
        return self._current, number - self._starts[epoch]


def validation(
    sampler: Sampler, make: RowMaker, *, batches: int, share: Share
) -> Iterator[MicroBatch]:
    """Yield this process's share of at most `batches` batches of held-out texts, always the same.

    Pairs and masks are those of epoch 0 and of one seed for all runs. All processes get equally
    many batches, since those that share weights compute together; what fills up is not counted.
    """
    epoch = _validation_epoch(sampler)
    count = min(batches, len(epoch.batches))
    for number in range(share.rank, count + -count % share.world, share.world):
        part = sampler.micro_batch(epoch, number % count, make=make)
        yield part if number < count else part.unlabelled()


@functools.lru_cache(maxsize=2)
def _validation_epoch(sampler: Sampler) -> Epoch:
    return sampler.epoch(0)
