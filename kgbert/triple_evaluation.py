"""Evaluate triple classification: judge labelled triples by each threshold that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kgbert.figure_tables import changes_table, classification_lines, classification_table
from kgbert.intervals import bootstrap
from kgbert.judging import HALF, Judgements, judge, labelled_part
from kgbert.outcome import SEED, Outcome, plain
from kgbert.protocol import classification_protocol
from kgbert.worst import worst_decisions

if TYPE_CHECKING:
    from graphs.filters import FilterIndex
    from kgbert.dataset import KnowledgeData, Part
    from kgbert.engine import ScoringEngine
    from kgbert.stored_thresholds import StoredThresholds


def evaluate_triples(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part,
    texts: str,
    stored: StoredThresholds | None,
    original: bool,
    learnt: FilterIndex | None = None,
) -> Outcome:
    """Judge the triples of a part by 0.5 and by the `stored` thresholds of the run.

    `learnt` are the triples that training saw, train by default.
    With `original` the way of the original, 0.5, is set beside the best of ours. Raises what
    `labelled_part` raises.
    """
    labelled = labelled_part(data, part, seed=SEED)
    judged = judge(
        labelled,
        engine.logits(labelled.triples),
        thresholds=None if stored is None else stored.thresholds,
        kind="difference" if stored is None else stored.score,
    )
    report = judged.report(data, learnt=learnt)
    tables = [
        classification_table("threshold", report["all"]),
        classification_table("entities", report["entities"]),
    ]
    content: dict[str, Any] = {
        "task": "triple-classification",
        "figures": plain(report),
        "intervals": _intervals(judged),
        "worst": worst_decisions(data, judged),
    }
    if original:
        choices = _choices(judged)
        tables.append(changes_table("threshold", choices))
        content["original"] = {"figures": choices}
    chosen = "none"
    if stored is not None:
        chosen = f"chosen on {stored.triples:,} dev triples, labels {stored.labels}"
    return Outcome(
        protocol=classification_protocol(
            engine,
            data,
            part=part,
            texts=texts,
            thresholds=f"0.5, and those of the run: {chosen}",
            negatives=labelled.negatives,
        ),
        headline=_headline(judged),
        content=content,
        text="\n\n".join(tables),
        relations=classification_lines(report["relation"]),
    )


def _choices(judged: Judgements) -> dict[str, dict[str, float]]:
    """Return accuracy and F1 of our best way to decide, and of the original's."""
    ways = {f"ours: {list(judged.decisions)[-1]}": list(judged.decisions)[-1]}
    ways[f"the original's: {HALF}"] = HALF
    found = {name: judged.metrics(way) for name, way in ways.items()}
    return {name: {"accuracy": each.accuracy, "f1": each.f1} for name, each in found.items()}


def _intervals(judged: Judgements) -> dict[str, list[float]]:
    """Return bootstrap intervals of the accuracy of each way to decide, over triples."""
    right = {
        f"accuracy ({way})": (decided == (judged.labels == 1)).astype(np.float64)
        for way, decided in judged.decisions.items()
    }
    return {name: list(each) for name, each in bootstrap(right, seed=SEED).items()}


def _headline(judged: Judgements) -> dict[str, float]:
    ways = {way: judged.metrics(way) for way in judged.decisions}
    figures = {f"accuracy ({way})": found.accuracy for way, found in ways.items()}
    same = ways[HALF]  # what does not depend on thresholds
    order = {"roc_auc": same.roc_auc, "average_precision": same.average_precision}
    figures |= {name: value for name, value in order.items() if value is not None}
    return figures | {"brier": same.brier, "calibration_error": same.calibration_error}
