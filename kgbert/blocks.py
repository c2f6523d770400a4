"""One block of queries after another: candidates are scored and counted, answers get their ranks.

A block is a pure function of scores, queries and filter, whoever computes it and when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from kgbert.certain import CertainScorer
from kgbert.queries import Queries, Query
from kgbert.rank_files import Block
from kgbert.ranks import RankCounter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex

_CHUNK: Final = 1 << 20  # candidates that are scored in one call
_SAMPLE: Final = 256, 2048  # triples that both precisions are compared on at the start: bounds
_SHARE: Final = 128  # of so many candidates one is among them, within the bounds


@dataclass(frozen=True, eq=False)
class BlockRanker:
    """Rank the answers of blocks of `size` queries among `entities` entities."""

    queries: Queries
    known: FilterIndex
    entities: int
    size: int
    scorer: CertainScorer

    @property
    def blocks(self) -> int:
        """Count the blocks."""
        return -(-len(self.queries) // self.size)

    def block(self, number: int) -> Block:
        """Rank the answers of one block of queries."""
        start, stop = number * self.size, min((number + 1) * self.size, len(self.queries))
        rows = self.queries.rows_of(start, stop)
        counter = RankCounter(self.scorer.true_scores(self.queries.triples[rows]))
        place = {row: i for i, row in enumerate(rows.tolist())}
        margins = []
        step = max(1, _CHUNK // self.entities)
        for first in range(start, stop, step):
            last = min(stop, first + step)
            read = self.queries.read(first, last, known=self.known, entities=self.entities)
            some = [
                (query, np.array([place[row] for row in query.rows.tolist()])) for query in read
            ]
            self._count(some, counter)
            margins.append(self.scorer.margin)
        return Block(
            rows=rows,
            scores=counter.true.astype(np.float64),
            better=counter.better,
            equal=counter.equal,
            margin=min(margins),
            error=self.scorer.error,
        )

    def sample(self) -> NDArray[np.int32]:
        """Draw candidates of all queries, the same ones each time.

        What is scored again is compared as well, so a small test set does with a small sample.
        """
        generator = np.random.default_rng(0)
        count = int(np.clip(len(self.queries) * self.entities // _SHARE, *_SAMPLE))
        drawn = self.queries.triples[generator.integers(0, len(self.queries.triples), count)]
        drawn[:, 2] = generator.integers(0, self.entities, count)
        return drawn

    def _count(self, some: list[tuple[Query, NDArray[np.int64]]], counter: RankCounter) -> None:
        """Score the candidates of some queries, whose rows have places in `counter`, and count."""
        sizes = [len(query.candidates) for query, _ in some]
        triples = np.repeat(
            [self.queries.triples[query.rows[0]] for query, _ in some], sizes, axis=0
        )
        columns = np.repeat([query.column for query, _ in some], sizes)
        triples[np.arange(len(triples)), columns] = np.concatenate(
            [query.candidates for query, _ in some]
        )
        scores = self.scorer.candidate_scores(
            triples,
            queries=np.repeat(np.arange(len(some)), sizes),
            true=[counter.true[places] for _, places in some],
        )
        for (query, places), own in zip(some, np.split(scores, np.cumsum(sizes)[:-1]), strict=True):
            counter.add_shared(own, rows=places)
            self._count_answers(query, places, counter)

    def _count_answers(self, query: Query, places: NDArray[np.int64], counter: RankCounter) -> None:
        """Count the other answers of a query, where they are not filtered out."""
        triples = self.queries.triples[query.rows]
        _, first = np.unique(triples[:, query.column], return_index=True)
        open_ = first[~self.known.contains(triples[first].T)]
        if len(open_):
            same = triples[:, None, query.column] == triples[None, open_, query.column]
            scores = np.broadcast_to(counter.true[places[open_]], same.shape)
            counter.add(scores, excluded=same, rows=places)
