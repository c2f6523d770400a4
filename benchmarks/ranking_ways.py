"""Ways to rank: the original's, and ours a step at a time, each with all steps before it.

The original's way is written anew for the comparison: for each test triple and side the texts of
every candidate are tokenised, cut, padded to one length, made tensors and scored in their order by
transformers' BERT in 32 bits, all as the original does it, the tokeniser in plain Python included.
It differs in two points: texts stay in memory (the original reads its files again for each query),
which helps it, and it cuts by our rule, so that its ranks can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch

from benchmarks.encoder_flops import flops
from benchmarks.plain_wordpiece import PlainWordPiece
from kbert.nn.visibility import Visibility
from kgbert.ranks import RankCounter
from kgbert.scores import scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from graphs.filters import FilterIndex
    from kbert.tokenizer import Tokenizer
    from kgbert.dataset import KnowledgeData
    from kgbert.network import TripleNetwork
    from kgbert.queries import Queries
    from kgbert.sequences import Sequences

ORIGINAL: Final = "the original's way"
BLOCK: Final = 64  # queries whose candidates are scored in one call


class Cost(NamedTuple):
    """What a way computed: inputs, token slots with padding, floating-point operations."""

    inputs: int
    slots: int
    flops: float


Score = Callable[["NDArray[np.integer]"], "tuple[NDArray[np.float64], Cost]"]


class Counts(NamedTuple):
    """Better and equal candidates of N rows, and what finding them cost."""

    better: NDArray[np.int64]
    equal: NDArray[np.int64]
    cost: Cost


def count(
    queries: Queries, *, known: FilterIndex, entities: int, score: Score, block: int
) -> Counts:
    """Rank the rows of `queries`, whose candidates `score` is asked for, `block` queries a call."""
    total = len(queries.triples)
    better, equal = np.zeros((2, total), dtype=np.int64)
    spent = Cost(0, 0, 0.0)
    for start in range(0, len(queries), block):
        stop = min(len(queries), start + block)
        asked, parts = [], []
        for query in queries.read(start, stop, known=known, entities=entities):
            triples = np.repeat(queries.triples[query.rows[:1]], len(query.candidates), axis=0)
            triples[:, query.column] = query.candidates
            asked.append(query)
            parts += [queries.triples[query.rows], triples]
        scores, cost = score(np.concatenate(parts))
        spent = Cost(*(a + b for a, b in zip(spent, cost, strict=True)))
        found = iter(np.split(scores, np.cumsum([len(part) for part in parts])[:-1]))
        for query in asked:
            counter = RankCounter(next(found))
            counter.add_shared(next(found), rows=slice(None))
            better[query.rows], equal[query.rows] = counter.better, counter.equal
    return Counts(better, equal, spent)


def each_alone(queries: Queries) -> Queries:
    """Return the same rows where every row is a query of its own, as the original asks them."""
    rows = np.arange(len(queries.triples))
    return replace(queries, offsets=np.append(rows, len(rows)), members=rows)


@dataclass(frozen=True, eq=False)
class OriginalWay:
    """Score triples as the original does."""

    peer: nn.Module
    data: KnowledgeData
    tokenizer: Tokenizer
    wordpiece: PlainWordPiece
    config: Any
    max_length: int
    batch: int
    device: str

    def __call__(self, triples: NDArray[np.integer]) -> tuple[NDArray[np.float64], Cost]:
        """Tokenise, pad and score every triple."""
        rows = [self._features(*triple) for triple in triples.tolist()]
        logits = []
        for start in range(0, len(rows), self.batch):
            parts = zip(*rows[start : start + self.batch], strict=True)
            ids, segments, mask = (torch.tensor(part, device=self.device) for part in parts)
            with torch.inference_mode():
                found = self.peer(input_ids=ids, token_type_ids=segments, attention_mask=mask)
            logits.append(found.logits.float().cpu().numpy())
        each = float(flops(self.max_length, self.config, first_only=False))
        cost = Cost(len(rows), len(rows) * self.max_length, len(rows) * each)
        return scores_of(np.concatenate(logits)), cost

    def _features(self, head: int, relation: int, tail: int) -> tuple[list[int], ...]:
        """Make ids, segments and mask of one triple, all padded."""
        texts = self.data.texts
        parts = [
            self.wordpiece.encode(text)
            for text in (texts.entity(head), texts.relation(relation), texts.entity(tail))
        ]
        while sum(map(len, parts)) > self.max_length - 4:
            longest = max(range(3), key=lambda place: (len(parts[place]), place))
            parts[longest].pop()
        ids, segments = [self.tokenizer.cls_id], [0]
        for number, part in enumerate(parts):
            ids += [*part, self.tokenizer.sep_id]
            segments += [number % 2] * (len(part) + 1)
        left = self.max_length - len(ids)
        mask = [1] * len(ids) + [0] * left
        return ids + [self.tokenizer.pad_id] * left, segments + [0] * left, mask


@dataclass(frozen=True, eq=False)
class StepWay:
    """Score triples from tables of pieces that were made once.

    With `exact` batches have one length each and no padding; with `distinct` equal inputs are
    computed once as well. The last layer is computed for every token.
    """

    network: TripleNetwork
    sequences: Sequences
    batch_tokens: int
    exact: bool = False
    distinct: bool = False

    def __call__(self, triples: NDArray[np.integer]) -> tuple[NDArray[np.float64], Cost]:
        """Score triples in their order."""
        back = np.arange(len(triples))
        if self.distinct:
            _, first, back = np.unique(
                self.sequences.identities(triples), return_index=True, return_inverse=True
            )
            triples = triples[first]
        lengths = self.sequences.lengths(triples)
        order = np.argsort(lengths, kind="stable") if self.exact else np.arange(len(triples))
        logits = np.empty((len(triples), 2), dtype=np.float32)
        for rows in self._batches(order, lengths):
            logits[rows] = self._logits(triples[rows], lengths[rows])
        return scores_of(logits[back.reshape(-1)]), self._cost(lengths)

    def _cost(self, lengths: NDArray[np.integer]) -> Cost:
        slots = lengths if self.exact else np.full(len(lengths), self.sequences.max_length)
        spent = flops(slots, self.network.encoder.config, first_only=False)
        return Cost(len(lengths), int(slots.sum()), float(spent.sum()))

    def _batches(
        self, order: NDArray[np.int64], lengths: NDArray[np.integer]
    ) -> Sequence[NDArray[np.int64]]:
        if not self.exact:
            step = max(1, self.batch_tokens // self.sequences.max_length)
            return [order[start : start + step] for start in range(0, len(order), step)]
        cut = np.flatnonzero(np.diff(lengths[order])) + 1
        batches = []
        for group in np.split(order, cut):
            step = max(1, self.batch_tokens // int(lengths[group[0]]))
            batches += [group[start : start + step] for start in range(0, len(group), step)]
        return batches

    def _logits(self, triples: NDArray[np.integer], lengths: NDArray[np.integer]) -> Any:
        device = next(self.network.parameters()).device
        ids, segments = (torch.as_tensor(part, device=device) for part in self._laid_out(triples))
        size = ids.shape[1]
        visibility = None
        if not self.exact:
            visibility = Visibility.plain(lengths.tolist(), length=size).to(device)
        with torch.inference_mode():
            return self._whole(ids, segments, visibility).float().cpu().numpy()

    def _laid_out(
        self, triples: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ids and segments (B, L): of the one length of the triples, or padded."""
        if self.exact:
            return self.sequences.assemble(triples)
        shape = len(triples), self.sequences.max_length
        ids, segments = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        lengths = self.sequences.lengths(triples)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            found = self.sequences.assemble(triples[rows])
            ids[rows, :length], segments[rows, :length] = found
        return ids, segments

    def _whole(self, ids: Tensor, segments: Tensor, visibility: Visibility | None) -> Tensor:
        """Run the network with every token of the last layer."""
        output = self.network.encoder(
            ids,
            positions=torch.arange(ids.shape[1], device=ids.device).expand_as(ids),
            segments=segments,
            visibility=visibility,
        )
        logits: Tensor = self.network.classifier.classifier(output.pooled)
        return logits
