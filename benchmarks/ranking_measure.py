"""Rank in every way, and say what each took, cost and changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.plain_wordpiece import PlainWordPiece
from benchmarks.ranking_settings import Setting, peer_of, timed
from benchmarks.ranking_steps import EngineWay, StepWay
from benchmarks.ranking_ways import (
    BLOCK,
    ORIGINAL,
    Cost,
    Counts,
    OriginalWay,
    count,
    drawn,
    each_alone,
)
from kbert import console
from kgbert.blocks import BlockRanker
from kgbert.certain import CertainScorer
from kgbert.dataset import PARTS
from kgbert.engine import ScoringEngine
from kgbert.groups import SIDES
from kgbert.queries import Queries
from kgbert.ranking import rank_blocks

if TYPE_CHECKING:
    from graphs.filters import FilterIndex

DISTINCT: Final = "equal texts once"
FIRST: Final = "last layer for one token"
KERNELS: Final = "kernels without gradient"
FAST: Final = "bf16, doubtful ones again in 32 bits"


def measure(setting: Setting) -> dict[str, Any]:
    """Rank in every way; return what each took, cost and changed.

    All ways rank the rows of `setting.queries` queries, drawn by chance. Where these are not all,
    ours then rank the whole test set as well, in both precisions.
    """
    data = setting.data
    known = data.filter(*PARTS)
    every = Queries.plan(data.test, sides=SIDES, known=known, entities=len(data.entities))
    some = drawn(every, share=setting.queries)
    setting.network.eval().requires_grad_(False)  # a loaded one is in training
    _engine(setting).logits(data.test[:64])  # warms up
    ways = _timed(setting, _ways(setting, some, known=known))
    content = {
        "test_triples": len(data.test),
        "entities": len(data.entities),
        "max_length": setting.sequences.max_length,
        "queries": len(some),
        "queries_of_the_test_set": len(every),
        "ranks": len(some.triples),
        "ways": compared(ways, by=ORIGINAL),
    }
    if len(some) < len(every):
        content["whole"] = _whole(setting, every, known=known, original=ways[ORIGINAL])
    return content


def _whole(
    setting: Setting, queries: Queries, *, known: FilterIndex, original: dict[str, Any]
) -> dict[str, Any]:
    """Rank all rows in both precisions; the original's time is scaled to all of its inputs."""
    names = KERNELS, FAST
    ways = _ways(setting, queries, known=known)
    found = compared(_timed(setting, {name: ways[name] for name in names}), by=KERNELS)
    inputs = int(queries.others.sum()) + len(queries.triples)
    scaled = original["seconds"] * inputs / original["inputs"]
    for way in found.values():
        way["times_original"] = scaled / way["seconds"]
    return {
        "ranks": len(queries.triples),
        "original_seconds_scaled": scaled,
        "original_inputs": inputs,
        "ways": found,
    }


def _timed(setting: Setting, ways: dict[str, Callable[[], Counts]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cost: dict[str, Any] = {}
    for name, run in ways.items():
        console.say(f"{setting.data.name}: {name}")
        seconds, result = timed(run, device=setting.device)
        if name == FAST:  # the first pass computes what the way before computes
            cost |= {"again": result.cost.again}
        else:
            cost = result.cost._asdict()
        found[name] = {
            "seconds": seconds,
            **cost,
            "better": result.better,
            "equal": result.equal,
        }
    return found


def _ways(
    setting: Setting, queries: Queries, *, known: FilterIndex
) -> dict[str, Callable[[], Counts]]:
    """Return what ranks in each way, by its name."""
    network, sequences = setting.network, setting.sequences
    original = OriginalWay(
        peer=peer_of(network).to(setting.device),
        data=setting.data,
        tokenizer=setting.tokenizer,
        wordpiece=PlainWordPiece.of(setting.tokenizer),
        config=network.encoder.config,
        max_length=sequences.max_length,
        batch=setting.batch,
        device=setting.device,
    )
    ranked = partial(count, known=known, entities=len(setting.data.entities))
    in_blocks = partial(ranked, queries, block=BLOCK)
    step = partial(StepWay, network, sequences, setting.batch_tokens)
    return {
        ORIGINAL: partial(ranked, each_alone(queries), score=original, block=1),
        "each query once": partial(ranked, queries, score=original, block=1),
        "tokenised once": partial(in_blocks, score=step()),
        "exact lengths, no padding": partial(in_blocks, score=step(exact=True)),
        DISTINCT: partial(in_blocks, score=step(exact=True, distinct=True)),
        FIRST: partial(in_blocks, score=step(exact=True, distinct=True, first=True)),
        KERNELS: partial(in_blocks, score=EngineWay(_engine(setting))),
        FAST: partial(_certain, setting, queries, known=known),
    }


def _certain(setting: Setting, queries: Queries, *, known: FilterIndex) -> Counts:
    """Rank as `kgbert.ranking` does with two precisions; of the cost only `again` is told."""
    exact = _engine(setting)
    scorer = CertainScorer(exact, fast=_engine(setting, precision="bf16"))
    ranks = rank_blocks(
        BlockRanker(
            queries=queries,
            known=known,
            entities=len(setting.data.entities),
            size=BLOCK,
            scorer=scorer,
        )
    )
    return Counts(ranks.better, ranks.equal, Cost(0, 0, 0.0, scorer.rescored))


def _engine(setting: Setting, **options: Any) -> ScoringEngine:
    return ScoringEngine(
        setting.network, setting.sequences, batch_tokens=setting.batch_tokens, **options
    )


def compared(found: dict[str, dict[str, Any]], *, by: str) -> dict[str, dict[str, Any]]:
    """Set every way beside the way `by`, and count the rows whose ranks are not the same."""
    first = found[by]
    before = first["seconds"]
    ways = {}
    for name, way in found.items():
        better, equal = (way[key] != first[key] for key in ("better", "equal"))
        ways[name] = {
            **{key: value for key, value in way.items() if key not in ("better", "equal")},
            "different_ranks": int((better | equal).sum()),
            "furthest_rank": int(np.abs(way["better"] - first["better"]).max()),
            "times_original": first["seconds"] / way["seconds"],
            "times_step_before": before / way["seconds"],
        }
        before = way["seconds"]
    return ways
