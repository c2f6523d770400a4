"""Evaluate link prediction: exact ranks of the true answers, or bounds if the time is too short."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kbert.errors import RunError
from kgbert import compatibility
from kgbert.figure_tables import bounds_table, changes_table, policy_table, rank_lines, rank_table
from kgbert.outcome import Outcome, headline_of, plain, rank_intervals
from kgbert.protocol import link_protocol
from kgbert.rank_files import PLAN, RankFolder
from kgbert.ranking import BLOCK_QUERIES, rank_triples
from kgbert.ranking_clock import RankingClock, TimeUp
from kgbert.worst import spread, worst_ranks

if TYPE_CHECKING:
    from graphs.filters import FilterIndex
    from kgbert.dataset import KnowledgeData, Part
    from kgbert.engine import ScoringEngine
    from kgbert.query_ranks import QueryRanks

_CANDIDATES_OF_CPU: Final = 1 << 17  # of a block, so that it is minutes and not hours
_GROUPS: Final = ("side", "cardinality", "entities", "leakage")  # those that are told to a person


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Say how a ranking is done.

    `resume` goes on with what `folder` holds; a shard below (1, 1) does so as well, since shards
    share a folder. After `seconds` the ranking ends with bounds. `learnt` are the triples that
    training saw, train by default.
    """

    folder: Path
    part: Part = "test"
    texts: str = "name"
    shard: tuple[int, int] = (1, 1)
    resume: bool = False
    seconds: float = math.inf
    learnt: FilterIndex | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Engines:
    """The engines of one network: exact, its partner in low precision, and the original's.

    `cutting` cuts as the original does; None where nothing is cut, or nobody asked for it.
    `fast_of` gives an engine's partner in low precision, or None where all is done in 32 bits.
    """

    exact: ScoringEngine
    cutting: ScoringEngine | None = None
    fast_of: Callable[[ScoringEngine], ScoringEngine | None] = lambda engine: None
    original: bool = False


def evaluate_links(
    engines: Engines, data: KnowledgeData, plan: Plan, *, say: Callable[[str], None]
) -> Outcome:
    """Rank the true triples of a part of `data` and describe the ranks, or what bounds them.

    Raises `RunError` for a folder that holds an evaluation that nobody asked to go on with, or
    another one, and what `rank_triples` raises.
    """
    refuse_begun(plan.folder, resume=plan.resume, shard=plan.shard)
    fast = engines.fast_of(engines.exact)
    protocol = link_protocol(
        engines.exact, data, part=plan.part, texts=plan.texts, certain=fast is not None
    )
    clock = RankingClock(about="ranking", say=say, seconds=plan.seconds)
    try:
        ranks = rank_triples(
            engines.exact,
            data,
            part=plan.part,
            fast=fast,
            folder=plan.folder,
            shard=plan.shard,
            block_queries=block_queries(engines.exact, entities=len(data.entities)),
            on_block=clock,
        )
    except TimeUp:
        ranks = RankFolder(plan.folder).ranks()
    except KeyboardInterrupt:
        say(f"{plan.folder}: what is ranked so far is kept; --resume goes on with it")
        raise
    if not ranks.done.all():
        return _partial(ranks, protocol=protocol)
    outcome = _whole(ranks, data, protocol=protocol, learnt=plan.learnt)
    return _compared(outcome, ranks, engines, data, plan, say=say) if engines.original else outcome


def block_queries(engine: ScoringEngine, *, entities: int) -> int:
    """Return how many queries make a block; a ranking can only end, and say its pace, after one.

    On a CPU a query of many entities is long. A GPU wants large blocks, whose batches are full.
    """
    if next(engine.network.parameters()).device.type != "cpu":
        return BLOCK_QUERIES
    return max(1, min(BLOCK_QUERIES, _CANDIDATES_OF_CPU // entities))


def refuse_begun(folder: Path, *, resume: bool, shard: tuple[int, int]) -> None:
    """Refuse an evaluation that is there already, unless it is to go on. Raises `RunError`."""
    if resume or shard[1] > 1 or not (folder / PLAN).exists():
        return
    found = RankFolder(folder).ranks().done
    state = "is complete" if found.all() else f"has {int(found.sum())} of {len(found)} ranks"
    raise RunError(
        f"{folder}: an evaluation is there already and {state}; --resume goes on with it,"
        " --output names another folder"
    )


def _whole(
    ranks: QueryRanks, data: KnowledgeData, *, protocol: str, learnt: FilterIndex | None
) -> Outcome:
    """Describe ranks that are all known."""
    report = ranks.report(data, learnt=learnt)
    every = report["all"]["all"]
    intervals = rank_intervals(ranks.ranks(), clusters=ranks.places)
    tables = [policy_table(every, intervals=intervals)]
    tables += [rank_table(title, report[title]) for title in _GROUPS]
    content: dict[str, Any] = {
        "task": "link-prediction",
        "complete": True,
        "figures": plain(report),
        "intervals": {name: list(interval) for name, interval in intervals.items()},
        "spread": spread(ranks.ranks()),
        "worst": worst_ranks(data, ranks.triples, ranks.ranks(), sides=ranks.sides),
    }
    return Outcome(
        protocol=protocol,
        headline=headline_of(every),
        content=content,
        text="\n\n".join(tables),
        relations=rank_lines(report["relation"]),
    )


def _partial(ranks: QueryRanks, *, protocol: str) -> Outcome:
    """Describe what is known so far: bounds that hold whatever the other ranks turn out to be."""
    bounds = ranks.bounds()
    done, count = int(ranks.done.sum()), len(ranks)
    content = {
        "task": "link-prediction",
        "complete": False,
        "done": done,
        "queries": count,
        "bounds": {
            policy: {name: list(interval) for name, interval in ends.items()}
            for policy, ends in bounds.items()
        },
    }
    text = f"{done:,} of {count:,} ranks are known; whatever the others are, figures are between"
    return Outcome(
        protocol=protocol,
        headline={},
        content=content,
        text=f"{text}\n{bounds_table(bounds)}\n--resume goes on",
    )


def _compared(
    outcome: Outcome,
    ranks: QueryRanks,
    engines: Engines,
    data: KnowledgeData,
    plan: Plan,
    *,
    say: Callable[[str], None],
) -> Outcome:
    """Add the figures of the original's choices."""
    choices = compatibility.link_choices(
        ranks,
        engines.exact,
        data,
        part=plan.part,
        cutting=engines.cutting,
        fast=engines.fast_of,
        folder=plan.folder / "original",
        block_queries=block_queries(engines.exact, entities=len(data.entities)),
        on_block=RankingClock(about="the original's choices", say=say),
    )
    notes = compatibility.notes(engines.exact.sequences)
    text = "\n".join([changes_table("choice", choices), *notes])
    return Outcome(
        protocol=outcome.protocol,
        headline=outcome.headline,
        content={
            **outcome.content,
            "original": {
                "figures": choices,
                "changes": compatibility.change(choices),
                "notes": notes,
            },
        },
        text=f"{outcome.text}\n\n{text}",
        relations=outcome.relations,
    )
