"""Rank the relation of pairs of entities among all relations, raw and filtered.

A network over pairs (`form="pair"`) gives a logit to each relation, so a pair is computed once
however many relations hold between its entities. Raw ranks let every other relation count, also one
that is true as well; filtered ranks leave those out (Yao et al. 2019, table 5, is filtered; the
original's script prints both). Shapes: N triples, R relations.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kbert.errors import SettingsError
from kgbert.dataset import PARTS, KnowledgeData, Part
from kgbert.groups import by_leakage, by_newness, by_relation
from kgbert.metrics import HITS, RankMetrics, grouped_metrics, rank_metrics
from kgbert.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphs.filters import FilterIndex
    from kgbert.engine import ScoringEngine

_CELLS: Final = 1 << 24  # logits that are held at a time


@dataclass(frozen=True, eq=False, kw_only=True)
class RelationRanks:
    """Hold the ranks of the relations of N triples, and the relation that scored best."""

    triples: NDArray[np.int32]  # (N, 3)
    raw: Ranks
    filtered: Ranks
    best: NDArray[np.int32]  # (N,)

    def report(
        self,
        data: KnowledgeData,
        *,
        learnt: FilterIndex | None = None,
        hits: Sequence[int] = HITS,
    ) -> dict[str, dict[str, RankMetrics]]:
        """Compute the figures of all triples, raw and filtered, and of groups of them, filtered.

        `learnt` are the triples by which entities are seen and reverses known, train by default.
        """
        train = data.filter("train") if learnt is None else learnt
        groups = {
            "relation": by_relation(self.triples, relations=data.relations),
            "entities": by_newness(self.triples, train=train.rows.T),
            "leakage": by_leakage(self.triples, train=train),
        }
        report = {
            "all": {"all": rank_metrics(self.filtered, hits=hits)},
            "raw": {"all": rank_metrics(self.raw, hits=hits)},
        }
        for name, (numbers, names) in groups.items():
            report[name] = grouped_metrics(self.filtered, numbers, names=names, hits=hits)
        return report


def rank_relations(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part = "test",
    filtered_by: Collection[Part] = PARTS,
) -> RelationRanks:
    """Rank the relations of the true triples of a part of `data`.

    Raises `SettingsError` where the engine is not one of pairs with a label for each relation, or
    there are no triples, and `CheckpointError` where the network gives no numbers.
    """
    if engine.sequences.form != "pair" or engine.labels != len(data.relations):
        raise SettingsError(
            f"the network does not tell the {len(data.relations)} relations of pairs apart; give"
            " one that was trained for relation prediction on this data set"
        )
    triples = data.positives(part)
    if not len(triples):
        raise SettingsError(f"there are no triples to rank in {part}")
    known = data.filter(*filtered_by)
    found: list[tuple[Ranks, Ranks, Any]] = []
    step = max(1, _CELLS // engine.labels)
    for start in range(0, len(triples), step):
        some = triples[start : start + step]
        logits = engine.logits(some)
        answers = some[:, 1]
        others = known.mask(some.T, missing="relation")
        found.append(
            (
                Ranks.from_answers(answers, logits),
                Ranks.from_answers(answers, logits, known=others),
                logits.argmax(axis=1).astype(np.int32),
            )
        )
    return RelationRanks(
        triples=triples,
        raw=_joined([raw for raw, _, _ in found]),
        filtered=_joined([filtered for _, filtered, _ in found]),
        best=np.concatenate([best for _, _, best in found]),
    )


def _joined(parts: Sequence[Ranks]) -> Ranks:
    return Ranks(
        optimistic=np.concatenate([part.optimistic for part in parts]),
        realistic=np.concatenate([part.realistic for part in parts]),
        pessimistic=np.concatenate([part.pessimistic for part in parts]),
        candidates=np.concatenate([part.candidates for part in parts]),
    )
