"""Pairs become tensors: `[CLS] A [SEP] B [SEP]`, corrupted, one or several in a row.

Each sequence is corrupted by its number in the epoch, before it is put into a row, so what is
asked of it does not depend on its neighbours. Shapes: N sequences, R rows, L row length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kbert.batch import Batch
from kbert.nn.visibility import Visibility
from kbert.pretraining.corruption import Corruption, MaskedBatch
from kbert.pretraining.packing import Layout, layout
from kbert.pretraining.pairs import Pairs
from kbert.pretraining.shards import Corpus
from kbert.pretraining.targets import IGNORED, OBJECTIVES, Labelled, SpanTargets, Targets
from kbert.pretraining.trees import Trees
from kbert.pretraining.types import Seen, Sequences
from kbert.pretraining.units import unit_groups

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Some rows and what is to be predicted of them.

    `tokens` counts those that are not padding, `squares` is the sum of the squared lengths of the
    sequences, and `slots` counts the padding too.
    """

    inputs: Batch
    targets: Targets
    tokens: int
    squares: int
    slots: int

    def to(self, device: torch.device | str) -> MicroBatch:
        """Return a copy on `device`."""
        return MicroBatch(
            self.inputs.to(device),
            self.targets.to(device),
            self.tokens,
            self.squares,
            self.slots,
        )

    def unlabelled(self) -> MicroBatch:
        """Return the same rows with nothing to be predicted, and nothing to be counted."""
        parts = {name: getattr(self.targets, name) for name in OBJECTIVES}
        silent = {
            name: None
            if part is None
            else replace(part, labels=torch.full_like(part.labels, IGNORED))
            for name, part in parts.items()
        }
        return replace(self, targets=Targets(**silent))


@dataclass(frozen=True, kw_only=True)
class RowMaker:
    """Makes micro-batches of a corpus; picklable, as the corpus pickles as its path.

    `whole_words` makes words the units of corruption. `relation` and `boundary` say whether these
    objectives are pursued. With `trees` the ranges of pairs are places of its linked corpus, and
    its facts and entities are those of the sequences.
    """

    corpus: Corpus
    corruption: Corruption
    whole_words: bool
    relation: bool
    boundary: bool
    trees: Trees | None = None

    def __call__(
        self, pairs: Pairs, rows: Sequence[Sequence[int]], *, epoch: int, length: int
    ) -> MicroBatch:
        """Lay out the pairs whose numbers `rows` gives, in rows of `length` tokens."""
        numbers = np.array([number for row in rows for number in row], dtype=np.int64)
        made = self._sequences(pairs.a[numbers], pairs.b[numbers])
        if self.trees is not None:
            ranges = pairs.a[numbers], pairs.b[numbers]
            made = self.trees.grow(made, *ranges, indices=numbers, epoch=epoch)
        sizes = made.sizes
        masked = self.corruption(made.token_ids, made.groups, indices=numbers, epoch=epoch)
        places = _local(rows)
        plan = layout(places, sizes, max_length=length)
        inside = plan.example >= 0
        which, where = np.maximum(plan.example, 0), np.where(inside, plan.positions, 0)

        def laid(values: NDArray[Any], otherwise: Any) -> NDArray[Any]:
            return np.where(inside, values[which, where], otherwise)

        ids = laid(masked.token_ids, self.corpus.special.pad)
        seen = _plain(plan)
        if made.seen is not None:
            seen = Seen(*(laid(own, other) for own, other in zip(made.seen, seen, strict=True)))
        lengths = np.count_nonzero(inside, axis=1)
        return MicroBatch(
            _batch(ids, laid(made.segments, 0), plan.document, seen, lengths=lengths),
            self._targets(masked, pairs.label[numbers], _Places.of(places, sizes), length=length),
            tokens=int(sizes.sum()),
            squares=int((sizes**2).sum()),
            slots=ids.size,
        )

    def _sequences(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> Sequences:
        """Read the pieces of sequences and put the special ones between them."""
        special, paired = self.corpus.special, b[:, 1] > b[:, 0]
        if self.trees is not None:
            a, b = self.trees.links.tokens(a), self.trees.links.tokens(b)
        first, second = a[:, 1:] - a[:, :1], b[:, 1:] - b[:, :1]
        middle = first + 1
        last = middle + np.where(paired[:, None], second + 1, 0)
        columns = np.arange(int(last.max()) + 1)
        in_a = (columns > 0) & (columns < middle)
        in_b = (columns > middle) & (columns < last)
        source = np.where(in_a, a[:, :1] + columns - 1, 0)
        source += np.where(in_b, b[:, :1] + columns - middle - 1, 0)
        ids = self.corpus.token_ids[source].astype(np.int32)
        padding = columns > last
        ids[:, 0] = special.cls
        ids[(columns == middle) | (columns == last)] = special.sep
        ids[padding] = special.pad
        groups = unit_groups(
            starts=self._unit_starts(ids, source),
            special=~(in_a | in_b) & ~padding,
            padding=np.asarray(padding),
        )
        segments = ((columns > middle) & ~padding).astype(np.int32)
        return Sequences(ids, groups, segments, last[:, 0] + 1)

    def _unit_starts(self, ids: Ints, source: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Say of each token whether a unit begins there; `source` is where the corpus has it."""
        if self.trees is not None and self.trees.links.units is not None:
            units: NDArray[np.bool_] = self.trees.links.units[source]
            return units
        return self.corpus.word_starts(ids) if self.whole_words else None

    def _targets(
        self, masked: MaskedBatch, labels: NDArray[np.int64], places: _Places, *, length: int
    ) -> Targets:
        """Move what is to be predicted from the sequences to their places in rows."""
        own_rows, begins = places.rows[masked.rows], places.begins[masked.rows]
        order = np.lexsort((begins + masked.positions, own_rows))
        edges = np.searchsorted(own_rows[order], np.arange(1, places.height))

        def by_row(values: NDArray[Any]) -> list[NDArray[Any]]:
            return np.split(values[order], edges)

        columns, originals = by_row(begins + masked.positions), by_row(masked.labels)
        boundary = relation = None
        if self.boundary:
            spans = by_row(masked.spans + begins[:, None])
            boundary = SpanTargets.from_rows(columns, originals, spans, length=length)
        if self.relation:
            firsts = np.searchsorted(places.rows, np.arange(1, places.height))
            relation = Labelled.from_rows(
                np.split(places.begins, firsts), np.split(labels, firsts), length=length
            )
        return Targets(
            masked=Labelled.from_rows(columns, originals, length=length),
            boundary=boundary,
            relation=relation,
        )


class _Places(NamedTuple):
    """Where each sequence stands: its row and first column (N,); `height` rows in all."""

    rows: NDArray[np.int64]
    begins: NDArray[np.int64]
    height: int

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], sizes: NDArray[np.int64]) -> _Places:
        numbers = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        ends = [np.cumsum(sizes[list(row)]) for row in rows]
        begins = [end - sizes[list(row)] for row, end in zip(rows, ends, strict=True)]
        return cls(numbers, np.concatenate(begins), len(rows))


def _local(rows: Sequence[Sequence[int]]) -> list[range]:
    """Number the sequences of rows from 0 on, in order."""
    found, begin = [], 0
    for row in rows:
        found.append(range(begin, begin + len(row)))
        begin += len(row)
    return found


def _plain(plan: Layout) -> Seen:
    """Let all tokens of a sequence see each other."""
    zeros = np.zeros_like(plan.document)
    return Seen(plan.positions, zeros, zeros + 1, np.ones_like(zeros, dtype=np.bool_))


def _batch(
    ids: Ints,
    segments: Ints,
    document: Ints,
    seen: Seen,
    *,
    lengths: NDArray[np.int64],
) -> Batch:
    zeros = torch.zeros(document.shape, dtype=torch.int32)
    visibility = Visibility(
        document=torch.from_numpy(document),
        enter=torch.from_numpy(seen.enter),
        leave=torch.from_numpy(seen.leave),
        trunk=torch.from_numpy(seen.trunk),
        query_rank=zeros,
        key_rank=zeros,
    )
    return Batch(
        torch.from_numpy(ids.astype(np.int64)),
        torch.from_numpy(seen.positions.astype(np.int64)),
        torch.from_numpy(segments.astype(np.int64)),
        visibility,
        torch.from_numpy(lengths),
    )
