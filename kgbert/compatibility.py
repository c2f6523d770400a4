"""The original's choices beside ours, and what each of them changes.

yao8839836/kg-bert ranks by the logit of true alone, puts a true answer before all that have its
score, cuts long triples by a rule of its own, and decides by the greater logit. Each choice is made
alone first and then all together, on the same weights, so that a difference of figures has a cause.
What it does in training (one corrupted side for each positive, negatives that are drawn once)
belongs to a run: `kgbert.train --original`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kgbert.metrics import rank_metrics
from kgbert.ranking import BLOCK_QUERIES, Progress, rank_triples

if TYPE_CHECKING:
    from kgbert.dataset import KnowledgeData, Part
    from kgbert.engine import ScoringEngine
    from kgbert.query_ranks import QueryRanks
    from kgbert.ranks import Ranks
    from kgbert.sequences import Sequences

OURS: Final = "ours"
ORIGINAL: Final = "all of them: the original's"
_TIES, _LOGIT, _CUT = "optimistic ties", "logit of true alone", "the original's truncation"


def link_choices(
    ours: QueryRanks,
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part,
    cutting: ScoringEngine | None,
    fast: Callable[[ScoringEngine], ScoringEngine | None] = lambda engine: None,
    folder: Path | None = None,
    block_queries: int = BLOCK_QUERIES,
    on_block: Callable[[Progress], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Return the figures of each choice by its name, ours first, the original's last.

    `ours` are the finished ranks of `engine`; `cutting` is an engine that cuts as the original
    does, or None where no input is cut. `fast` gives an engine's partner in low precision. Ranks
    are kept in folders of `folder`, in blocks of `block_queries`. Raises what `rank_triples`
    raises.
    """

    def ranked(name: str, with_engine: ScoringEngine, **choice: Any) -> Ranks:
        place = None if folder is None else folder / name
        partner = fast(with_engine)
        return rank_triples(
            with_engine, data, part=part, fast=partner, folder=place, on_block=on_block,
            block_queries=block_queries, **choice,
        ).ranks()  # fmt: skip

    logit = ranked("logit1", engine, kind="logit1")
    found = {
        OURS: rank_metrics(ours.ranks()).realistic,
        _TIES: rank_metrics(ours.ranks()).figures["optimistic"],
        _LOGIT: rank_metrics(logit).realistic,
    }
    together = logit
    if cutting is not None:
        found[_CUT] = rank_metrics(ranked("truncation", cutting)).realistic
        together = ranked("original", cutting, kind="logit1")
    found[ORIGINAL] = rank_metrics(together).figures["optimistic"]
    return {name: dict(figures) for name, figures in found.items()}


def cuts(sequences: Sequences) -> bool:
    """Say whether some triple of these texts may be cut, so that the rule of cutting matters."""
    if sequences.form != "triple":
        return False
    entities, relations = sequences.lengths_of
    if not len(entities) or not len(relations):
        return False
    return bool(2 * int(np.max(entities)) + int(np.max(relations)) > sequences.room)


def notes(sequences: Sequences) -> list[str]:
    """Return what a reader of the comparison has to know; `sequences` are the run's."""
    lines = [
        "one corrupted side and negatives drawn once are choices of training: kgbert.train"
        " --original"
    ]
    if sequences.truncation == "original":
        lines.insert(0, "the run was trained with the original's truncation, so ours has it too")
    elif not cuts(sequences):
        lines.insert(0, "no input of this data set is cut, so the original's truncation is ours")
    return lines


def change(choices: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return how far the figures of each choice are from ours."""
    ours = choices[OURS]
    return {
        name: {figure: value - ours[figure] for figure, value in figures.items()}
        for name, figures in choices.items()
        if name != OURS
    }
