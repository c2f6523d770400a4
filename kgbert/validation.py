"""What is measured on dev after each epoch, so that the best weights are kept; nothing of test.

Samples are drawn by chance, the same ones in every epoch and whatever the seed of the training, so
figures of two runs can be compared. What a figure was measured on is said in one line, `protocol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from kgbert.batches import Examples
from kgbert.metrics import rank_metrics
from kgbert.negatives import NegativeSampler
from kgbert.ranks import RankCounter, Ranks, TiePolicy
from kgbert.scores import ScoreKind, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex
    from kgbert.dataset import KnowledgeData
    from kgbert.engine import ScoringEngine

_SEED = 0


class Validation(Protocol):
    """A way to measure a network on dev."""

    @property
    def main(self) -> str:
        """The score that decides which epoch is the best; more is better."""

    @property
    def protocol(self) -> str:
        """What is measured, on what, in one line."""

    def scores(self, engine: ScoringEngine) -> dict[str, float]:
        """Measure."""


class LabelledTriples(NamedTuple):
    """Triples that are true or false: as the data says (`given`), or else `drawn`."""

    examples: Examples
    source: Literal["given", "drawn"]


def labelled_dev(data: KnowledgeData, *, most: int | None = None) -> LabelledTriples | None:
    """Return the labelled dev triples, at most `most` by chance; None where dev is empty.

    Without labels in the data each true triple gets a drawn negative, of either side, that neither
    train nor dev states. Raises `DataError` where none can be drawn.
    """
    triples, labels = data.triples("valid"), data.labels("valid")
    if not len(triples):
        return None
    if labels is not None:
        chosen = sample(len(triples), most=most)
        return LabelledTriples(Examples(triples[chosen], labels[chosen].astype("i8")), "given")
    chosen = sample(len(triples), most=None if most is None else max(1, most // 2))
    drawn = _negatives(data, triples[chosen], per_positive=1)
    return LabelledTriples(Examples.joined(triples[chosen], drawn.reshape(-1, 3)), "drawn")


def sample(count: int, *, most: int | None) -> NDArray[np.int64]:
    """Draw at most `most` (None: all) of `count` places, ascending; always the same ones."""
    if most is None or most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(_SEED).permutation(count)[:most])


@dataclass(frozen=True, eq=False, slots=True)
class AccuracyOnDev:
    """The share of labelled dev triples that are told right, from a probability of 0.5 on."""

    labelled: LabelledTriples
    main: str = "accuracy"

    @property
    def protocol(self) -> str:
        """What is measured, on what, in one line."""
        examples, source = self.labelled
        made = "labelled" if source == "given" else "true, or drawn negatives that are unknown"
        return f"accuracy from probability 0.5 on {len(examples.targets):,} dev triples ({made})"

    def scores(self, engine: ScoringEngine) -> dict[str, float]:
        """Measure."""
        triples, targets = self.labelled.examples
        decided = scores_of(engine.logits(triples)) >= 0
        return {self.main: float((decided == (targets == 1)).mean())}


@dataclass(frozen=True, eq=False, slots=True)
class RanksOnDev:
    """The mean reciprocal rank of dev triples among drawn candidates, on both sides."""

    true: NDArray[np.int32]  # (n, 3)
    candidates: NDArray[np.int32]  # (n, 2 C, 3)
    of: int
    score: ScoreKind
    ties: TiePolicy
    main: str = "mrr"

    @classmethod
    def draw(
        cls,
        data: KnowledgeData,
        *,
        triples: int,
        candidates: int,
        score: ScoreKind,
        ties: TiePolicy,
    ) -> RanksOnDev:
        """Draw so many triples and, for each side, so many candidates that are not known.

        Raises `DataError` where a triple has no candidate at all.
        """
        positives = data.positives("valid")
        chosen = positives[sample(len(positives), most=triples)]
        drawn = _negatives(data, chosen, per_positive=2 * candidates)
        return cls(chosen, drawn, len(positives), score, ties)

    @property
    def protocol(self) -> str:
        """What is measured, on what, in one line."""
        return (
            f"MRR, {self.ties} ties, of {len(self.true):,} of {self.of:,} dev triples, both sides,"
            f" each among {self.candidates.shape[1] // 2} drawn candidates that neither train nor"
            " dev states"
        )

    def scores(self, engine: ScoringEngine) -> dict[str, float]:
        """Measure."""
        count, width = self.candidates.shape[:2]
        asked = np.concatenate([self.true, self.candidates.reshape(-1, 3)])
        scores = scores_of(engine.logits(asked), kind=self.score)
        true, others = scores[:count], scores[count:].reshape(count, width)
        is_head = self.candidates[..., 0] != self.true[:, None, 0]
        counter = RankCounter(np.concatenate([true, true]))
        counter.add(np.concatenate([others, others]), excluded=np.concatenate([~is_head, is_head]))
        figures = rank_metrics(counter.ranks().select(counter.seen > 0)).figures[self.ties]
        return {self.main: figures["mrr"], "hits@1": figures["hits@1"]}


@dataclass(frozen=True, eq=False, slots=True)
class RelationsOnDev:
    """How often the right relation of a dev pair comes first, other known ones left out."""

    true: NDArray[np.int32]  # (n, 3)
    known: NDArray[np.bool_]  # (n, R)
    of: int
    ties: TiePolicy
    main: str = "hits@1"

    @classmethod
    def draw(cls, data: KnowledgeData, *, triples: int, ties: TiePolicy) -> RelationsOnDev:
        """Draw so many triples."""
        positives = data.positives("valid")
        chosen = positives[sample(len(positives), most=triples)]
        known = data.filter("train", "valid").mask(chosen.T, missing="relation")
        return cls(chosen, known, len(positives), ties)

    @property
    def protocol(self) -> str:
        """What is measured, on what, in one line."""
        return (
            f"Hits@1 of the relation, {self.ties} ties, filtered by train and dev, of"
            f" {len(self.true):,} of {self.of:,} dev pairs"
        )

    def scores(self, engine: ScoringEngine) -> dict[str, float]:
        """Measure."""
        logits = engine.logits(self.true)
        ranks = Ranks.from_answers(self.true[:, 1], logits, known=self.known)
        figures = rank_metrics(ranks).figures[self.ties]
        return {self.main: figures["hits@1"], "mrr": figures["mrr"]}


def _negatives(
    data: KnowledgeData, triples: NDArray[np.int32], *, per_positive: int
) -> NDArray[np.int32]:
    """Draw negatives (n, per_positive, 3) that neither train nor dev states, the same always."""
    known: FilterIndex = data.filter("train", "valid")
    sampler = NegativeSampler(
        triples,
        entities=len(data.entities),
        relations=len(data.relations),
        per_positive=per_positive,
        known=known,
        seed=_SEED,
    )
    return sampler.sample(0, np.arange(len(triples)))
