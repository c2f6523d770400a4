"""Rank the true answers of test triples among all entities, exactly, in blocks that can be resumed.

Queries are asked once each (`kgbert.queries`), in blocks; a block is a pure function of the network
and the data, whoever computes it, so shards, order and interruptions change nothing. With a second
engine of low precision only doubtful candidates are scored in 32 bits (`kgbert.certain`), and a
block that was decided by a margin which a later difference exceeds is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from kbert.errors import SettingsError
from kgbert.certain import CertainScorer
from kgbert.dataset import PARTS, KnowledgeData, Part
from kgbert.groups import SIDES, Side
from kgbert.identity import data_identity, engine_identity
from kgbert.queries import Queries, Query
from kgbert.rank_files import Block, RankFolder, columns_of, gather
from kgbert.ranks import RankCounter
from kgbert.scores import ScoreKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex
    from kgbert.engine import ScoringEngine
    from kgbert.query_ranks import QueryRanks

BLOCK_QUERIES: Final = 64
_CHUNK: Final = 1 << 20  # candidates that are scored in one call
_SAMPLE: Final = 2048  # triples that both precisions are compared on at the start


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a shard is: blocks done and blocks in all, and what precision was seen to cost."""

    done: int
    blocks: int
    error: float
    rescored: int


def rank_triples(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part = "test",
    sides: Collection[Side] = SIDES,
    filtered_by: Collection[Part] = PARTS,
    kind: ScoreKind = "difference",
    fast: ScoringEngine | None = None,
    folder: str | Path | None = None,
    shard: tuple[int, int] = (1, 1),
    block_queries: int = BLOCK_QUERIES,
    on_block: Callable[[Progress], None] | None = None,
) -> QueryRanks:
    """Rank the true triples of a part of `data`, or those that fall to shard i of n.

    Args:
        engine: gives logits in 32 bits; its texts must be those of `data`.
        data: the data set; all of its entities are candidates.
        part: which triples are ranked; those labelled false are not.
        sides: which parts of a triple are asked for.
        filtered_by: parts whose true triples are left out of the candidates; none: raw ranks.
        kind: what is compared; see `kgbert.scores`.
        fast: an engine with the same network in low precision; ranks are those of `engine`.
        folder: where blocks are kept, one file each; what is there already is not computed again.
        shard: (i, n), from (1, 1): every n-th block is computed, beginning with the i-th.
        block_queries: how many queries make a block.
        on_block: called after each block.

    Returns the ranks of all rows; those of other shards are known only as far as `folder` has them.

    Raises `SettingsError` for settings that cannot be, `RunError` for a folder of another
    evaluation, and `CheckpointError` where the network gives no numbers.
    """
    _check(engine, data, kind=kind, shard=shard, block_queries=block_queries)
    known = data.filter(*filtered_by) if filtered_by else _no_filter(data)
    work = _Work(
        queries=Queries.plan(
            data.positives(part), sides=sides, known=known, entities=len(data.entities)
        ),
        known=known,
        entities=len(data.entities),
        size=block_queries,
        scorer=CertainScorer(engine, kind=kind, fast=fast),
    )
    store = None if folder is None else RankFolder(Path(folder))
    if store is not None:
        identity = (
            engine_identity(engine)
            | data_identity(data)
            | {
                "score": kind,
                "part": part,
                "sides": sorted(sides),
                "filtered_by": sorted(filtered_by),
                "block_queries": block_queries,
                "certain": fast is not None,
            }
        )
        store.begin(work.queries, identity=identity, blocks=work.blocks)
    return _finish(work, store, shard=shard, on_block=on_block)


def _check(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    kind: ScoreKind,
    shard: tuple[int, int],
    block_queries: int,
) -> None:
    """Refuse what cannot be ranked, before anything is computed."""
    if not 1 <= shard[0] <= shard[1]:
        raise SettingsError(f"shard is {shard[0]}/{shard[1]}; expected i/n, i from 1 to n")
    if block_queries < 1:
        raise SettingsError(f"block_queries is {block_queries}; expected 1 or more")
    if kind not in get_args(ScoreKind):
        raise SettingsError(f"kind is {kind!r}; known are {', '.join(get_args(ScoreKind))}")
    if engine.labels != 2 or engine.sequences.form != "triple":
        raise SettingsError(
            "the network does not say whether triples are true; give one with two labels"
        )
    sizes = len(data.entities), len(data.relations)
    if tuple(map(len, engine.sequences.starts)) != sizes:
        raise SettingsError(
            "the engine's texts are not those of the data set, which has"
            f" {sizes[0]} entities and {sizes[1]} relations; lay out its own texts"
        )


def _finish(
    work: _Work,
    store: RankFolder | None,
    *,
    shard: tuple[int, int],
    on_block: Callable[[Progress], None] | None,
) -> QueryRanks:
    """Compute the blocks of a shard that are missing, and those whose margin was too small."""
    found = {} if store is None else store.blocks()
    own = range(shard[0] - 1, work.blocks, shard[1])
    scorer = work.scorer
    while todo := [i for i in own if i not in found or found[i].margin < _error(found)]:
        scorer.error = max(scorer.error, _error(found))
        if scorer.fast is not None and not scorer.error:
            scorer.sample(work.sample())
        for number in todo:
            found[number] = work.block(number)
            if store is not None:
                store.write(number, found[number])
            if on_block is not None:
                done = sum(i in found for i in own)
                on_block(Progress(done, len(own), scorer.error, scorer.rescored))
    return gather(columns_of(work.queries), found) if store is None else store.finish()


def _error(blocks: Mapping[int, Block]) -> float:
    return max((block.error for block in blocks.values()), default=0.0)


@dataclass(frozen=True, eq=False)
class _Work:
    """Everything that a block is a function of."""

    queries: Queries
    known: FilterIndex
    entities: int
    size: int
    scorer: CertainScorer

    @property
    def blocks(self) -> int:
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
        """Draw candidates of all queries, the same ones each time."""
        generator = np.random.default_rng(0)
        drawn = self.queries.triples[generator.integers(0, len(self.queries.triples), _SAMPLE)]
        drawn[:, 2] = generator.integers(0, self.entities, _SAMPLE)
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


def _no_filter(data: KnowledgeData) -> FilterIndex:
    from graphs.filters import FilterIndex

    none = np.zeros((3, 0), dtype=np.int32)
    return FilterIndex(none, entities=len(data.entities), relations=len(data.relations))
