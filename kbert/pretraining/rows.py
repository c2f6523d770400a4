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
from kbert.pretraining.packing import Layout, Rows, layout
from kbert.pretraining.pairs import Pairs
from kbert.pretraining.relations import NO_RELATION
from kbert.pretraining.shards import Corpus
from kbert.pretraining.targets import IGNORED, OBJECTIVES, Labelled, SpanTargets, Targets, causal
from kbert.pretraining.trees import Trees
from kbert.pretraining.types import Seen, Sequences
from kbert.pretraining.units import SPECIAL, unit_groups

Ints = NDArray[np.int32]
Numbers = NDArray[np.int64]

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


@dataclass(frozen=True, kw_only=True)
class RowMaker:
    """Makes micro-batches of a corpus; picklable, as the corpus pickles as its path.

    `whole_words` makes words the units of corruption. `relation` and `boundary` say whether these
    objectives are pursued. The share `causal_share` of the sequences is read left to right: these
    are not corrupted, predict each next token, and are not asked for their relation, since their
    `[CLS]` sees itself alone. Which ones is drawn as masks are, from seed, epoch and number. With
    `trees` the ranges of pairs are places of its linked corpus, and its facts and entities are
    those of the sequences; `PretrainSettings` refuses both together.
    """

    corpus: Corpus
    corruption: Corruption
    whole_words: bool
    relation: bool
    boundary: bool
    causal_share: float = 0.0
    trees: Trees | None = None

    def __call__(
        self, pairs: Pairs, rows: Sequence[Sequence[int]], *, epoch: int, length: int
    ) -> MicroBatch:
        """Lay out the pairs whose numbers `rows` gives, in rows of `length` tokens."""
        own = Rows.of(rows)
        chosen = pairs.take(own.numbers)
        made = self._sequences(chosen.a, chosen.b)
        if self.trees is not None:
            made = self.trees.grow(made, chosen.a, chosen.b, indices=own.numbers, epoch=epoch)
        sizes = made.sizes.astype(np.int64)
        ordered = self._ordered(own.numbers, epoch=epoch)
        groups = np.where(ordered[:, None], np.int32(SPECIAL), made.groups)
        masked = self.corruption(made.token_ids, groups, indices=own.numbers, epoch=epoch)
        plan = layout(Rows(np.arange(len(sizes)), own.edges), sizes, max_length=length)
        inside = plan.example >= 0
        batch = self._laid_out(made, masked, plan)
        labels = np.where(ordered, NO_RELATION, chosen.label)
        targets = self._targets(masked, labels, _Places.of(own, sizes), length=length)
        if self.causal_share:
            read = inside & ordered[np.maximum(plan.example, 0)]
            batch, following = causal(batch, chosen=torch.from_numpy(read))
            targets = replace(targets, causal=following)
        return MicroBatch(
            batch,
            targets,
            tokens=int(sizes.sum()),
            squares=int(np.where(ordered, sizes * (sizes + 1) // 2, sizes**2).sum()),
            slots=inside.size,
        )

    def _laid_out(self, made: Sequences, masked: MaskedBatch, plan: Layout) -> Batch:
        """Move sequences to their places in rows."""
        present = np.arange(made.token_ids.shape[1]) < made.sizes[:, None]
        inside = plan.example >= 0

        def laid(values: NDArray[Any], otherwise: Any) -> NDArray[Any]:
            # Sequence by sequence, row by row: tokens come in the same order in both.
            found = np.full(inside.shape, otherwise, dtype=values.dtype)
            found[inside] = values[present]
            return found

        ids = laid(masked.token_ids, self.corpus.special.pad)
        seen = _plain(plan)
        if made.seen is not None:
            pairwise = zip(made.seen, seen, strict=True)
            seen = Seen(*(np.where(inside, laid(own, 0), other) for own, other in pairwise))
        lengths = np.count_nonzero(inside, axis=1)
        return _batch(ids, laid(made.segments, 0), plan.document, seen, lengths=lengths)

    def _ordered(self, numbers: NDArray[np.int64], *, epoch: int) -> NDArray[np.bool_]:
        """Say which sequences (N,) are read left to right."""
        key = self.corruption.keys(numbers, epoch, purpose=_ORDER)
        drawn = streams.uniforms(streams.words(key, np.zeros(1, dtype=np.int64)))
        chosen: NDArray[np.bool_] = drawn < self.causal_share
        return chosen

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
        # Places ascend, as sequences stand in rows in the order in which they were corrupted.
        rows, begins = places.rows[masked.rows], places.begins[masked.rows]
        columns = begins + masked.positions
        boundary = relation = None
        if self.boundary:
            spans = masked.spans + begins[:, None]
            boundary = SpanTargets.at(rows, columns, masked.labels, spans, length=length)
        if self.relation:
            relation = Labelled.at(places.rows, places.begins, labels, length=length)
        return Targets(
            masked=Labelled.at(rows, columns, masked.labels, length=length),
            boundary=boundary,
            relation=relation,
        )


class _Places(NamedTuple):
    """Where each sequence stands: its row and first column (N,)."""

    rows: Numbers
    begins: Numbers

    @classmethod
    def of(cls, rows: Rows, sizes: Numbers) -> _Places:
        before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        counts = np.diff(rows.edges)
        return cls(
            np.repeat(np.arange(len(rows)), counts),
            before[:-1] - np.repeat(before[rows.edges[:-1]], counts),
        )


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
