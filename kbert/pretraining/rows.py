"""Pairs become tensors: `[CLS] A [SEP] B [SEP]`, corrupted, one or several in a row.

Each sequence is corrupted by its number in the epoch, before it is put into a row, so what is
asked of it does not depend on its neighbours.

Left to right no token sees a later one, and a masked token is told from both sides, so one pass
cannot ask a sequence for both. Objectives are mixed by shares of the sequences instead (UniLM, Dong
et al. 2019): ranks belong to tokens, so causal and masked sequences may stand in one row. Shapes:
N sequences, R rows, L row length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kbert.batch import Batch
from kbert.nn.visibility import Visibility
from kbert.pretraining import streams
from kbert.pretraining.corruption import Corruption, MaskedBatch
from kbert.pretraining.packing import Layout, layout
from kbert.pretraining.pairs import Pairs
from kbert.pretraining.relations import NO_RELATION
from kbert.pretraining.shards import Corpus
from kbert.pretraining.targets import IGNORED, OBJECTIVES, Labelled, SpanTargets, Targets, causal
from kbert.pretraining.units import SPECIAL, unit_groups

Ints = NDArray[np.int32]

_ORDER: Final = 0xCA05A1  # keeps the draws of this file apart


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Some rows and what is to be predicted of them.

    `tokens` counts those that are not padding, `squares` the pairs of which one sees the other:
    the squared length of a sequence, half of it and half its length if it is causal. `slots`
    counts the padding too.
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


class _Sequences(NamedTuple):
    """Sequences side by side: all (N, longest)."""

    token_ids: Ints
    groups: Ints
    segments: Ints


@dataclass(frozen=True, kw_only=True)
class RowMaker:
    """Makes micro-batches of a corpus; picklable, as the corpus pickles as its path.

    `whole_words` makes words the units of corruption. `relation` and `boundary` say whether these
    objectives are pursued. The share `causal_share` of the sequences is read left to right: these
    are not corrupted, predict each next token, and are not asked for their relation, since their
    `[CLS]` sees itself alone. Which ones is drawn as masks are, from seed, epoch and number.
    """

    corpus: Corpus
    corruption: Corruption
    whole_words: bool
    relation: bool
    boundary: bool
    causal_share: float = 0.0

    def __call__(
        self, pairs: Pairs, rows: Sequence[Sequence[int]], *, epoch: int, length: int
    ) -> MicroBatch:
        """Lay out the pairs whose numbers `rows` gives, in rows of `length` tokens."""
        numbers = np.array([number for row in rows for number in row], dtype=np.int64)
        sizes = pairs.lengths[numbers]
        made = self._sequences(pairs, numbers, sizes)
        ordered = self._ordered(numbers, epoch=epoch)
        groups = np.where(ordered[:, None], np.int32(SPECIAL), made.groups)
        masked = self.corruption(made.token_ids, groups, indices=numbers, epoch=epoch)
        places = _local(rows)
        plan = layout(places, sizes, max_length=length)
        inside = plan.example >= 0
        which, where = np.maximum(plan.example, 0), np.where(inside, plan.positions, 0)
        ids = np.where(inside, masked.token_ids[which, where], self.corpus.special.pad)
        segments = np.where(inside, made.segments[which, where], 0)
        batch = _batch(ids, segments, plan, lengths=np.count_nonzero(inside, axis=1))
        labels = np.where(ordered, NO_RELATION, pairs.label[numbers])
        targets = self._targets(masked, labels, _Places.of(places, sizes), length=length)
        if self.causal_share:
            batch, following = causal(batch, chosen=torch.from_numpy(inside & ordered[which]))
            targets = replace(targets, causal=following)
        return MicroBatch(
            batch,
            targets,
            tokens=int(sizes.sum()),
            squares=int(np.where(ordered, sizes * (sizes + 1) // 2, sizes**2).sum()),
            slots=ids.size,
        )

    def _ordered(self, numbers: NDArray[np.int64], *, epoch: int) -> NDArray[np.bool_]:
        """Say which sequences (N,) are read left to right."""
        key = self.corruption.keys(numbers, epoch, purpose=_ORDER)
        drawn = streams.uniforms(streams.words(key, np.zeros(1, dtype=np.int64)))
        chosen: NDArray[np.bool_] = drawn < self.causal_share
        return chosen

    def _sequences(
        self, pairs: Pairs, numbers: NDArray[np.int64], sizes: NDArray[np.int64]
    ) -> _Sequences:
        """Read the pieces of sequences and put the special ones between them."""
        special = self.corpus.special
        columns = np.arange(int(sizes.max()))
        first = (pairs.a[numbers, 1] - pairs.a[numbers, 0])[:, None]
        middle, last = first + 1, sizes[:, None] - 1
        in_a = (columns > 0) & (columns < middle)
        in_b = (columns > middle) & (columns < last)
        source = np.where(in_a, pairs.a[numbers, :1] + columns - 1, 0)
        source += np.where(in_b, pairs.b[numbers, :1] + columns - middle - 1, 0)
        ids = self.corpus.token_ids[source].astype(np.int32)
        padding = columns > last
        ids[:, 0] = special.cls
        ids[(columns == middle) | (columns == last)] = special.sep
        ids[padding] = special.pad
        starts = self.corpus.word_starts(ids) if self.whole_words else None
        groups = unit_groups(
            starts=starts, special=~(in_a | in_b) & ~padding, padding=np.asarray(padding)
        )
        return _Sequences(ids, groups, ((columns > middle) & ~padding).astype(np.int32))

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


def _batch(ids: Ints, segments: Ints, plan: Layout, *, lengths: NDArray[np.int64]) -> Batch:
    document = torch.from_numpy(plan.document)
    zeros = torch.zeros_like(document)
    visibility = Visibility(
        document=document,
        enter=zeros,
        leave=zeros + 1,
        trunk=torch.ones_like(document, dtype=torch.bool),
        query_rank=zeros,
        key_rank=zeros,
    )
    return Batch(
        torch.from_numpy(ids.astype(np.int64)),
        torch.from_numpy(plan.positions.astype(np.int64)),
        torch.from_numpy(segments.astype(np.int64)),
        visibility,
        torch.from_numpy(lengths),
    )
