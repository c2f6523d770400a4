"""Evaluate relation prediction: the rank of each triple's relation among all relations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kgbert.figure_tables import changes_table, policy_table, rank_lines, rank_table
from kgbert.outcome import Outcome, headline_of, plain, rank_intervals
from kgbert.protocol import relation_protocol
from kgbert.relation_ranks import rank_relations
from kgbert.worst import spread, worst_ranks

if TYPE_CHECKING:
    from graphs.filters import FilterIndex
    from kgbert.dataset import KnowledgeData, Part
    from kgbert.engine import ScoringEngine


def evaluate_relations(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part,
    texts: str,
    original: bool,
    learnt: FilterIndex | None = None,
) -> Outcome:
    """Rank the relations of a part's true triples, raw and filtered.

    `learnt` are the triples that training saw, train by default.
    With `original` ties are broken as the original breaks them, beside ours. Raises what
    `rank_relations` raises.
    """
    found = rank_relations(engine, data, part=part)
    report = found.report(data, learnt=learnt)
    every, raw = report["all"]["all"], report["raw"]["all"]
    intervals = rank_intervals(found.filtered, clusters=np.arange(len(found.triples)))
    tables = [
        policy_table(every, intervals=intervals),
        rank_table("ranks", {"filtered": every, "raw": raw}, count="triples"),
        rank_table("entities", report["entities"], count="triples"),
        rank_table("leakage", report["leakage"], count="triples"),
    ]
    content: dict[str, Any] = {
        "task": "relation-prediction",
        "figures": plain(report),
        "intervals": {name: list(interval) for name, interval in intervals.items()},
        "spread": spread(found.filtered),
        "worst": worst_ranks(data, found.triples, found.filtered),
    }
    if original:
        ways = {"ours": every.realistic, "optimistic ties": every.figures["optimistic"]}
        tables.append(changes_table("choice", ways))
        content["original"] = {"figures": {name: dict(each) for name, each in ways.items()}}
    return Outcome(
        protocol=relation_protocol(engine, data, part=part, texts=texts),
        headline=headline_of(every),
        content=content,
        text="\n\n".join(tables),
        relations=rank_lines(report["relation"]),
    )
