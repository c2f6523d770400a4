"""How rankings are counted, and the original's way to score; ours are in `ranking_steps`.

The original's way is written anew for the comparison: for each test triple and side the texts of
every candidate are tokenised, cut, padded to one length, made tensors and scored in their order by
transformers' BERT in 32 bits, all as the original does it, the tokeniser in plain Python included.
It differs in two points: texts stay in memory (the original reads its files again for each query),
which helps it, and it cuts by our rule, so that its ranks can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch

from benchmarks.encoder_flops import flops
from benchmarks.plain_wordpiece import PlainWordPiece
from kgbert.queries import Queries
from kgbert.ranks import RankCounter
from kgbert.scores import scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from graphs.filters import FilterIndex
    from kbert.tokenizer import Tokenizer
    from kgbert.dataset import KnowledgeData
    from kgbert.queries import Queries

ORIGINAL: Final = "the original's way"
BLOCK: Final = 64  # queries whose candidates are scored in one call


class Cost(NamedTuple):
    """What a way computed: inputs, token slots with padding, floating-point operations.

    `again` counts inputs that were computed a second time, in 32 bits; the others leave them out.
    """

    inputs: int
    slots: int
    flops: float
    again: int = 0


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
        spent = Cost(spent.inputs + cost.inputs, spent.slots + cost.slots, spent.flops + cost.flops)
        found = iter(np.split(scores, np.cumsum([len(part) for part in parts])[:-1]))
        for query in asked:
            counter = RankCounter(next(found))
            counter.add_shared(next(found), rows=slice(None))
            better[query.rows], equal[query.rows] = counter.better, counter.equal
    return Counts(better, equal, spent)


def drawn(queries: Queries, *, share: int, seed: int = 0) -> Queries:
    """Draw `share` queries by chance, and keep all rows that ask them; all, if they are no more."""
    if share >= len(queries):
        return queries
    chosen = np.sort(np.random.default_rng(seed).permutation(len(queries))[:share])
    members = [queries.rows_of(number, number + 1) for number in chosen.tolist()]
    rows = np.sort(np.concatenate(members))
    return Queries(
        triples=queries.triples[rows],
        sides=queries.sides[rows],
        places=queries.places[rows],
        others=queries.others[rows],
        offsets=np.append(0, np.cumsum([len(some) for some in members])),
        members=np.searchsorted(rows, np.concatenate(members)),
    )


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
