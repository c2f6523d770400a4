"""Judge labelled triples by a network's scores: which are true, and by which threshold?

The original calls a triple true if the logit of true is the greater one, which is a probability of
at least 0.5. Thresholds that were chosen on validation, one for all relations or one for each,
decide as well (`kgbert.thresholds`). A data set without labels gets one false triple for each true
one, drawn as `kgbert.negatives` does, so that it can be judged at all; that is said with the
figures. Shapes: N triples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from kbert.errors import SettingsError
from kgbert.classification import ClassificationMetrics, classification_metrics
from kgbert.dataset import PARTS, KnowledgeData, Part
from kgbert.groups import Groups, by_newness, by_relation
from kgbert.scores import ScoreKind, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex
    from kgbert.thresholds import Thresholds

HALF: Final = "0.5"
NEGATIVES: Final = "one drawn negative for each true triple, filtered by train, valid and test"


class Labelled(NamedTuple):
    """Triples (N, 3) and labels (N,) in {0, 1}; `negatives` says where false ones were drawn."""

    triples: NDArray[np.int32]
    labels: NDArray[np.int8]
    negatives: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Judgements:
    """Hold what was decided on N labelled triples, by the name of each way to decide."""

    triples: NDArray[np.int32]
    labels: NDArray[np.int8]
    probabilities: NDArray[np.float64]
    decisions: Mapping[str, NDArray[np.bool_]]

    def metrics(self, way: str, chosen: NDArray[np.bool_] | None = None) -> ClassificationMetrics:
        """Compute the figures of one way to decide on all triples, or on `chosen` ones (N,)."""
        rows = np.ones(len(self.labels), dtype=np.bool_) if chosen is None else chosen
        return classification_metrics(
            self.labels[rows], self.probabilities[rows], decisions=self.decisions[way][rows]
        )

    def report(
        self, data: KnowledgeData, *, learnt: FilterIndex | None = None
    ) -> dict[str, dict[str, ClassificationMetrics]]:
        """Compute the figures of each way to decide, and of groups by the best that there is.

        `learnt` are the triples by which entities are seen, train by default.
        """
        train = data.filter("train") if learnt is None else learnt
        way = list(self.decisions)[-1]
        groups = {
            "relation": by_relation(self.triples, relations=data.relations),
            "entities": by_newness(self.triples, train=train.rows.T),
        }
        report = {"all": {name: self.metrics(name) for name in self.decisions}}
        for name, found in groups.items():
            report[name] = self._grouped(found, way=way)
        return report

    def _grouped(self, groups: Groups, *, way: str) -> dict[str, ClassificationMetrics]:
        return {
            name: self.metrics(way, groups.numbers == number)
            for number, name in enumerate(groups.names)
            if (groups.numbers == number).any()
        }


def labelled_part(data: KnowledgeData, part: Part, *, seed: int) -> Labelled:
    """Return the triples of a part with labels; false ones are drawn where it has no labels.

    Raises `SettingsError` if the part is empty, `DataError` if no negative can be drawn.
    """
    triples, labels = data.triples(part), data.labels(part)
    if not len(triples):
        raise SettingsError(f"there are no triples to judge in {part}")
    if labels is not None:
        return Labelled(triples, labels)
    from kgbert.negatives import NegativeSampler

    sampler = NegativeSampler(
        triples,
        entities=len(data.entities),
        relations=len(data.relations),
        per_positive=1,
        known=data.filter(*PARTS),
        seed=seed,
    )
    false = sampler.sample(0, np.arange(len(triples)))[:, 0]
    return Labelled(
        np.concatenate([triples, false]),
        np.repeat(np.array([1, 0], dtype=np.int8), len(triples)),
        NEGATIVES,
    )


def judge(
    labelled: Labelled,
    logits: NDArray[np.float32],
    *,
    thresholds: Thresholds | None = None,
    kind: ScoreKind = "difference",
) -> Judgements:
    """Decide on `labelled` triples by their logits (N, 2), and by thresholds on scores of `kind`.

    Ways are `0.5`, and with thresholds `global` and `relation`.
    """
    decisions = {HALF: scores_of(logits) >= 0}
    if thresholds is not None:
        scores = scores_of(logits, kind=kind)
        relations = labelled.triples[:, 1]
        decisions["global"] = scores >= thresholds.overall
        decisions["relation"] = thresholds.decide(scores, relations=relations)
    return Judgements(
        triples=labelled.triples,
        labels=labelled.labels,
        probabilities=scores_of(logits, kind="probability"),
        decisions=decisions,
    )
