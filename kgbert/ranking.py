"""Rank the true answers of test triples among all entities, exactly, in blocks that can be resumed.

Queries are asked once each (`kgbert.queries`), in blocks; a block is a pure function of the network
and the data, whoever computes it, so shards, order and interruptions change nothing. With a second
engine of low precision only doubtful candidates are scored in 32 bits (`kgbert.certain`), and a
block that was decided by a margin which a later difference exceeds is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from graphs.filters import FilterIndex
from kbert.errors import SettingsError
from kgbert.blocks import BlockRanker
from kgbert.certain import CertainScorer
from kgbert.dataset import PARTS, KnowledgeData, Part
from kgbert.groups import SIDES, Side
from kgbert.identity import data_identity, engine_identity
from kgbert.queries import Queries
from kgbert.rank_files import RankFolder, columns_of, gather, uncertain
from kgbert.scores import ScoreKind

if TYPE_CHECKING:
    from kgbert.engine import ScoringEngine
    from kgbert.query_ranks import QueryRanks

BLOCK_QUERIES: Final = 64


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a shard is: blocks done and in all; candidates scored, and of these scored again.

    `error` is the largest difference of the two precisions so far. Candidates are those of this
    call, not those of blocks that were there before.
    """

    done: int
    blocks: int
    scored: int
    rescored: int
    error: float


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
    work = BlockRanker(
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
    return rank_blocks(work, store=store, shard=shard, on_block=on_block)


def rank_blocks(
    work: BlockRanker,
    *,
    store: RankFolder | None = None,
    shard: tuple[int, int] = (1, 1),
    on_block: Callable[[Progress], None] | None = None,
) -> QueryRanks:
    """Compute the blocks of a shard that are missing, and those whose margin was too small.

    This is what `rank_triples` does once queries, engines and folder are known to fit together; it
    checks nothing.
    """
    found = {} if store is None else store.blocks()
    own = range(shard[0] - 1, work.blocks, shard[1])
    scorer = work.scorer
    while todo := sorted({*own} - ({*found} - uncertain(found))):
        scorer.error = max(scorer.error, *(block.error for block in found.values()), 0.0)
        if scorer.fast is not None and not scorer.error:
            scorer.sample(work.sample())
        for number in todo:
            found[number] = work.block(number)
            if store is not None:
                store.write(number, found[number])
            if on_block is not None:
                done = sum(i in found for i in own)
                on_block(Progress(done, len(own), scorer.scored, scorer.rescored, scorer.error))
        found |= {} if store is None else store.blocks()  # others may have seen larger differences
    return gather(columns_of(work.queries), found) if store is None else store.finish()


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


def _no_filter(data: KnowledgeData) -> FilterIndex:
    none = np.zeros((3, 0), dtype=np.int32)
    return FilterIndex(none, entities=len(data.entities), relations=len(data.relations))
