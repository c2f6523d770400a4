"""Rank in every way, and say what each took, cost and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.encoder_flops import flops
from benchmarks.plain_wordpiece import PlainWordPiece
from benchmarks.ranking_settings import Setting, peer_of, timed
from benchmarks.ranking_ways import BLOCK, ORIGINAL, OriginalWay, StepWay, count, each_alone
from kbert import console
from kgbert.dataset import PARTS
from kgbert.engine import ScoringEngine
from kgbert.groups import SIDES
from kgbert.queries import Queries
from kgbert.ranking import rank_triples

if TYPE_CHECKING:
    from graphs.filters import FilterIndex

DISTINCT: Final = "equal texts once"
FIRST: Final = "last layer for one token"
FAST: Final = "bf16, doubtful ones again in 32 bits"


def measure(setting: Setting) -> dict[str, Any]:
    """Rank in every way; return what each took, cost and changed."""
    data = setting.data
    known = data.filter(*PARTS)
    queries = Queries.plan(data.test, sides=SIDES, known=known, entities=len(data.entities))
    ScoringEngine(setting.network, setting.sequences).logits(data.test[:64])  # warms up
    found: dict[str, dict[str, Any]] = {}
    for name, run in _ways(setting, queries, known=known).items():
        console.say(f"{data.name}: {name}")
        seconds, result = timed(run, device=setting.device)
        found[name] = {"seconds": seconds, "counts": (result.better, result.equal)}
        if hasattr(result, "cost"):
            found[name] |= result.cost._asdict()
    return _compared(found, setting)


def _ways(
    setting: Setting, queries: Queries, *, known: FilterIndex
) -> dict[str, Callable[[], Any]]:
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
    step = partial(StepWay, network, sequences, setting.batch_tokens)
    return {
        ORIGINAL: partial(ranked, each_alone(queries), score=original, block=1),
        "each query once": partial(ranked, queries, score=original, block=1),
        "tokenised once": partial(ranked, queries, score=step(), block=BLOCK),
        "exact lengths, no padding": partial(ranked, queries, score=step(exact=True), block=BLOCK),
        DISTINCT: partial(ranked, queries, score=step(exact=True, distinct=True), block=BLOCK),
        FIRST: partial(_ours, setting, fast=False),
        FAST: partial(_ours, setting, fast=True),
    }


def _ours(setting: Setting, *, fast: bool) -> Any:
    engine = ScoringEngine(setting.network, setting.sequences, batch_tokens=setting.batch_tokens)
    partner = None
    if fast:
        partner = ScoringEngine(
            setting.network,
            setting.sequences,
            precision="bf16",
            batch_tokens=setting.batch_tokens,
        )
    return rank_triples(engine, setting.data, fast=partner, block_queries=BLOCK)


def _compared(found: dict[str, dict[str, Any]], setting: Setting) -> dict[str, Any]:
    """Set every way beside the first one, and count the rows whose ranks are not the same."""
    first = found[ORIGINAL]
    better, equal = first["counts"]
    before = first["seconds"]
    for way in found.values():
        counts = way.pop("counts")
        different = (counts[0] != better) | (counts[1] != equal)
        way["different_ranks"] = int(different.sum())
        way["furthest_rank"] = int(np.abs(counts[0] - better).max())
        way["times_original"] = first["seconds"] / way["seconds"]
        way["times_step_before"] = before / way["seconds"]
        before = way["seconds"]
    _count_last_layer(found, setting)
    return {
        "test_triples": len(setting.data.test),
        "ranks": len(better),
        "entities": len(setting.data.entities),
        "max_length": setting.sequences.max_length,
        "ways": found,
    }


def _count_last_layer(found: Mapping[str, dict[str, Any]], setting: Setting) -> None:
    """Give the engine's ways their cost: the inputs of the step before, by the other formula."""
    config = setting.network.encoder.config
    step = found[DISTINCT]
    mean = step["slots"] / step["inputs"]
    # Operations are linear in the length but for attention, which is 1 % of them at most here.
    share = flops(mean, config, first_only=True) / flops(mean, config, first_only=False)
    for name in (FIRST, FAST):
        found[name] |= {"inputs": step["inputs"], "slots": step["slots"]}
        found[name]["flops"] = float(step["flops"] * share)
