"""Our ways to score, a step at a time, each with all steps before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.encoder_flops import flops
from benchmarks.ranking_ways import Cost
from kbert.nn.visibility import Visibility
from kgbert.scores import scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.engine import ScoringEngine
    from kgbert.network import TripleNetwork
    from kgbert.sequences import Sequences


@dataclass(frozen=True, eq=False)
class StepWay:
    """Score triples from tables of pieces that were made once, by the kernels of training.

    With `exact` batches have one length each and no padding; with `distinct` equal inputs are
    computed once as well; with `first` only the first token of the last layer is. The network's
    weights want no gradient, and nothing tells the network that none is wanted, which is what its
    faster kernels ask for (`kbert.nn.linear`).
    """

    network: TripleNetwork
    sequences: Sequences
    batch_tokens: int
    exact: bool = False
    distinct: bool = False
    first: bool = False

    def __call__(self, triples: NDArray[np.integer]) -> tuple[NDArray[np.float64], Cost]:
        """Score triples in their order."""
        back = np.arange(len(triples))
        if self.distinct:
            triples, back = distinct_of(triples, self.sequences)
        lengths = self.sequences.lengths(triples)
        order = np.argsort(lengths, kind="stable") if self.exact else np.arange(len(triples))
        logits = np.empty((len(triples), 2), dtype=np.float32)
        for rows in self._batches(order, lengths):
            logits[rows] = self._logits(triples[rows], lengths[rows])
        return scores_of(logits[back.reshape(-1)]), self._cost(lengths)

    def _cost(self, lengths: NDArray[np.integer]) -> Cost:
        slots = lengths if self.exact else np.full(len(lengths), self.sequences.max_length)
        return cost_of(slots, self.network, first=self.first)

    def _batches(
        self, order: NDArray[np.int64], lengths: NDArray[np.integer]
    ) -> Sequence[NDArray[np.int64]]:
        if not self.exact:
            step = max(1, self.batch_tokens // self.sequences.max_length)
            return [order[start : start + step] for start in range(0, len(order), step)]
        cut = np.flatnonzero(np.diff(lengths[order])) + 1
        batches = []
        for group in np.split(order, cut):
            step = max(1, self.batch_tokens // int(lengths[group[0]]))
            batches += [group[start : start + step] for start in range(0, len(group), step)]
        return batches

    def _logits(self, triples: NDArray[np.integer], lengths: NDArray[np.integer]) -> Any:
        device = next(self.network.parameters()).device
        ids, segments = (torch.as_tensor(part, device=device) for part in self._laid_out(triples))
        size = ids.shape[1]
        output = self.network.encoder(
            ids,
            positions=torch.arange(size, device=device).expand_as(ids),
            segments=segments,
            visibility=None
            if self.exact
            else Visibility.plain(lengths.tolist(), length=size).to(device),
            only_first=self.first,
        )
        return self.network.classifier.classifier(output.pooled).float().cpu().numpy()

    def _laid_out(
        self, triples: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ids and segments (B, L): of the one length of the triples, or padded."""
        if self.exact:
            return self.sequences.assemble(triples)
        shape = len(triples), self.sequences.max_length
        ids, segments = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        lengths = self.sequences.lengths(triples)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            found = self.sequences.assemble(triples[rows])
            ids[rows, :length], segments[rows, :length] = found
        return ids, segments


@dataclass(frozen=True, eq=False)
class EngineWay:
    """Score triples as `kgbert` does, in 32 bits.

    Operations are counted as if every token were projected in the first layer and the last one,
    which tables of tokens and `kbert.nn.first_token` do without.
    """

    engine: ScoringEngine

    def __call__(self, triples: NDArray[np.integer]) -> tuple[NDArray[np.float64], Cost]:
        """Score triples in their order."""
        scores = scores_of(self.engine.logits(triples))
        some, _ = distinct_of(triples, self.engine.sequences)
        lengths = self.engine.sequences.lengths(some)
        return scores, cost_of(lengths, self.engine.network, first=True)


def distinct_of(
    triples: NDArray[np.integer], sequences: Sequences
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return one triple of each input, and for each triple which of them it is."""
    _, first, back = np.unique(
        sequences.identities(triples), return_index=True, return_inverse=True
    )
    return triples[first], back.reshape(-1)


def cost_of(slots: NDArray[np.integer], network: TripleNetwork, *, first: bool) -> Cost:
    """Count inputs of so many token slots each."""
    spent = flops(slots, network.encoder.config, first_only=first)
    return Cost(len(slots), int(slots.sum()), float(spent.sum()))
