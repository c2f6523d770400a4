"""The objectives of pre-training: what is to be predicted of a batch, and how far off a model is.

Four of them, each a sum of negative log-likelihoods over its targets: `masked` tokens (BERT), the
tokens of masked spans from the spans' boundary (SpanBERT), the next token (`causal`), and the
`relation` of two sentences (nsp, sop, nsp3). Sums and counts are kept apart until a whole step is
known, since the mean of the means of micro-batches is not the mean over their targets.

A place is an index into the batch's tokens laid end to end: row * L + column. Shapes: B batch,
L length, D width, V vocabulary, K predicted tokens, S sequences, P the four objectives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kbert.errors import SettingsError
from kbert.pretraining.targets import IGNORED, OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kbert.batch import Batch
    from kbert.nn.pretraining_heads import LanguageModel
    from kbert.pretraining.targets import Labelled, SpanTargets, Targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each objective counts in the sum; 1 each is what BERT and SpanBERT do.

    Raises `SettingsError` for a weight that is negative or not a finite number.
    """

    masked: float = 1.0
    boundary: float = 1.0
    causal: float = 1.0
    relation: float = 1.0

    def __post_init__(self) -> None:
        """Check every weight."""
        for name in OBJECTIVES:
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise SettingsError(f"the weight of {name} is {value}; expected 0 or more")

    def tensor(self, *, like: Tensor) -> Tensor:
        """Return the weights (P,), of the dtype and on the device of `like`."""
        return like.new_tensor([getattr(self, name) for name in OBJECTIVES])


class Score(NamedTuple):
    """One objective's figures, for the log."""

    loss: float
    """Mean negative log-likelihood, in nats."""
    accuracy: float
    """Share of the targets whose label is the likeliest one."""
    targets: int
    """Number of targets."""

    @property
    def perplexity(self) -> float:
        """The exponential of the loss; at most e^700, which is a number yet."""
        return math.exp(min(self.loss, 700.0))


def described(scores: Mapping[str, Score]) -> dict[str, dict[str, float]]:
    """List each objective's figures by their names, those of next tokens with their perplexity."""
    found: dict[str, dict[str, float]] = {}
    for name, score in scores.items():
        found[name] = score._asdict()
        if name == "causal":
            found[name]["perplexity"] = score.perplexity
    return found


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of a batch, an entry an objective in the order of `OBJECTIVES`.

    *Shapes:* all (P,). `sums` are of negative log-likelihoods in nats and carry the gradient;
    `counts` are the targets, and `correct` those whose label is the likeliest, both int64.
    """

    sums: Tensor
    counts: Tensor
    correct: Tensor

    @classmethod
    def combine(cls, losses: Sequence[Losses]) -> Losses:
        """Add micro-batches up: exactly the losses of the one batch that holds them all."""
        if not losses:
            raise ValueError("no losses to combine")
        return cls(
            torch.stack([each.sums for each in losses]).sum(0),
            torch.stack([each.counts for each in losses]).sum(0),
            torch.stack([each.correct for each in losses]).sum(0),
        )

    def detach(self) -> Losses:
        """Return the same figures without the gradient's graph."""
        return Losses(self.sums.detach(), self.counts, self.correct)

    def weighted(self, weights: Weights, *, counts: Tensor) -> Tensor:
        """Return what is minimised, (): the weighted sum of each objective's sum over its count.

        `counts` (P,) are those of everything that makes up one step: of this batch, or of all its
        micro-batches (`targets.count`) and all processes, so that the results of the
        micro-batches add up to that of the one big batch. Where gradients are averaged over N
        processes, multiply by N. An objective without targets adds nothing.
        """
        shares = self.sums / counts.clamp(min=1)
        return (weights.tensor(like=shares) * shares).sum()

    def scores(self) -> dict[str, Score]:
        """Name the figures of the objectives that had targets; this waits for the device."""
        rows = zip(
            OBJECTIVES,
            self.sums.detach().tolist(),
            self.counts.tolist(),
            self.correct.tolist(),
            strict=True,
        )
        return {
            name: Score(total / count, correct / count, count)
            for name, total, count, correct in rows
            if count
        }


class PretrainingModel(nn.Module):
    """A language model under training: from a batch and its targets to losses."""

    def __init__(self, network: LanguageModel, *, dense: bool = False) -> None:
        """Train `network`.

        With `dense`, tokens are decoded at all places and not just the predicted ones: the same
        losses for several times the work, which is there to be measured and tested against.
        """
        super().__init__()
        self.network = network
        self.dense = dense

    def forward(self, batch: Batch, targets: Targets) -> Losses:
        """Return the losses of a batch.

        Causal targets mean something only for a batch whose visibility is causal: take both from
        `targets.causal`.

        Raises:
            ValueError: there are targets of a head that the network lacks.
        """
        hidden = self.network.encoder(
            batch.token_ids,
            positions=batch.positions,
            segments=batch.segments,
            visibility=batch.visibility,
        ).hidden.flatten(0, 1)
        parts = [
            _nothing(hidden) if targets.masked is None else self._tokens(hidden, targets.masked),
            _nothing(hidden) if targets.boundary is None else self._spans(hidden, targets.boundary),
            _nothing(hidden) if targets.causal is None else self._tokens(hidden, targets.causal),
            _nothing(hidden) if targets.relation is None else self._pairs(hidden, targets.relation),
        ]
        sums, counts, correct = (torch.stack(column) for column in zip(*parts, strict=True))
        return Losses(sums, counts, correct)

    def _tokens(self, hidden: Tensor, wanted: Labelled) -> _Part:
        """Name the tokens at places of `hidden` (B * L, D)."""
        if not self.dense:
            logits = self.network.name_tokens(hidden.index_select(0, wanted.places))
            return _score(logits, wanted.labels)
        known = wanted.labels != IGNORED
        labels = wanted.labels.new_full(hidden.shape[:1], IGNORED)
        labels[wanted.places[known]] = wanted.labels[known]
        return _score(self.network.name_tokens(hidden), labels)

    def _spans(self, hidden: Tensor, wanted: SpanTargets) -> _Part:
        """Name the tokens of spans from the tokens just outside."""
        logits = self.network.fill_spans(
            hidden.index_select(0, wanted.left),
            hidden.index_select(0, wanted.right),
            offsets=wanted.offsets,
        )
        return _score(logits, wanted.labels)

    def _pairs(self, hidden: Tensor, wanted: Labelled) -> _Part:
        """Name the relation of sequences from their first tokens."""
        return _score(self.network.relate(hidden.index_select(0, wanted.places)), wanted.labels)


class _Part(NamedTuple):
    """One entry of `Losses`: three scalars."""

    total: Tensor
    known: Tensor
    correct: Tensor


def _score(logits: Tensor, labels: Tensor) -> _Part:
    """Score logits (K, C) against labels (K,), in single precision at least."""
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()
    total = cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    correct = (logits.detach().argmax(dim=-1) == labels).sum()
    return _Part(total, (labels != IGNORED).sum(), correct)


def _nothing(hidden: Tensor) -> _Part:
    """Return the part of an objective that has no targets."""
    whole = torch.zeros((), dtype=torch.int64, device=hidden.device)
    # In the dtype that _score gives, so that the parts stack.
    dtype = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    return _Part(torch.zeros((), dtype=dtype, device=hidden.device), whole, whole)
