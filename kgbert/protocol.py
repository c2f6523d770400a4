"""One line that says how figures came about; it stands with them wherever they are written.

Figures of knowledge graphs are often compared although they were computed in different ways: other
candidates, filters, ties, scores. A line names each choice that changes a figure, so two figures
with equal lines may be compared, and of two with different ones the lines say why not.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from kgbert.dataset import PARTS, KnowledgeData, Part
from kgbert.groups import SIDES, Side
from kgbert.scores import ScoreKind

if TYPE_CHECKING:
    from kgbert.engine import ScoringEngine
    from kgbert.sequences import Sequences

_SCORES: Final[dict[ScoreKind, str]] = {
    "difference": "logit of true less logit of false",
    "probability": "probability of true",
    "logit1": "logit of true alone",
}
_CUTS: Final = {"longest": "the longest part first", "original": "as the original cuts"}


def link_protocol(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part,
    texts: str,
    sides: Collection[Side] = SIDES,
    filtered_by: Collection[Part] = PARTS,
    kind: ScoreKind = "difference",
    certain: bool = False,
) -> str:
    """Describe how true answers are ranked; arguments are those of `kgbert.ranking.rank_triples`.

    `texts` says what is read of entities, `certain` whether a fast engine of low precision helps.
    """
    asked = " and ".join(side for side in SIDES if side in sides)
    parts = [part for part in PARTS if part in filtered_by]
    precision = "ranks of 32 bits by bf16 and re-scoring" if certain else "32 bits"
    return "; ".join(
        [
            f"link prediction on {_data(data, part=part, count=len(data.positives(part)))}",
            f"{asked} asked for among all {len(data.entities):,} entities",
            f"filtered by {', '.join(parts)}" if parts else "raw, nothing filtered out",
            f"score: {_SCORES[kind]}, {precision}",
            "ties realistic where no policy is named",
            _inputs(engine.sequences, texts=texts),
        ]
    )


def classification_protocol(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part,
    texts: str,
    thresholds: str,
    negatives: str = "",
) -> str:
    """Describe how triples are judged.

    `thresholds` says where those beside 0.5 come from, `negatives` where false triples come from,
    if the data set has none.
    """
    return "; ".join(
        [
            f"triple classification on {_data(data, part=part, count=len(data.triples(part)))}",
            negatives or "labels of the data set",
            f"thresholds: {thresholds}",
            _inputs(engine.sequences, texts=texts),
        ]
    )


def relation_protocol(
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    part: Part,
    texts: str,
    filtered_by: Collection[Part] = PARTS,
) -> str:
    """Describe how the relations of pairs are ranked."""
    parts = ", ".join(part for part in PARTS if part in filtered_by)
    return "; ".join(
        [
            f"relation prediction on {_data(data, part=part, count=len(data.positives(part)))}",
            f"among all {len(data.relations):,} relations, raw and filtered by {parts}",
            "ties realistic where no policy is named",
            _inputs(engine.sequences, texts=texts),
        ]
    )


def _data(data: KnowledgeData, *, part: Part, count: int) -> str:
    return f"{data.name} ({data.fingerprint[:12]}) {part}, {count:,} triples"


def _inputs(sequences: Sequences, *, texts: str) -> str:
    cut = _CUTS[sequences.truncation]
    return f"texts: {texts}, inputs of at most {sequences.max_length} pieces, cut {cut}"
