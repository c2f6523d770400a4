"""A small BERT that learns a Markov source, measured against the best possible loss.

Shapes: N sequences, L length of a chain, K targets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.markov_source import Bools, Floats, Integers, Source, hide
from kbert.batch import Batch
from kbert.nn import Encoder, EncoderConfig, LanguageModel, Visibility
from kbert.pretraining.objectives import PretrainingModel, Weights
from kbert.pretraining.targets import Labelled, Targets, causal

SIGMAS: Final = 4.0
"""Standard errors below the best possible loss at which a loss is called a leak."""
_PART: Final = 100  # sequences that are measured together
_WARMUP: Final = 100


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What a model is given to read.

    A row holds `copies` of one chain, each with other symbols hidden, so that what one hides the
    others mostly show. They are documents of their own if `apart`; otherwise one document, which
    is a leak made on purpose. With `causal` nothing is hidden, and each next symbol is told.
    """

    name: str
    steps: int
    copies: int = 1
    apart: bool = True
    causal: bool = False
    length: int = 64
    share: float = 0.15
    batch: int = 64
    width: int = 128
    layers: int = 2
    rate: float = 1e-3
    kept: int = 1000


class Measure(NamedTuple):
    """The model on sequences that it does not learn from.

    `excess` is by how much the loss is above the best possible one of the very same targets, and
    `error` its standard error, over sequences, which are independent of each other.
    """

    step: int
    loss: float
    accuracy: float
    excess: float
    error: float

    @property
    def leaks(self) -> bool:
        """Whether the loss is below the best possible one by more than chance explains."""
        return self.excess < -SIGMAS * self.error


def rows(
    copies: Sequence[tuple[Integers, Bools]], *, symbols: int, apart: bool, asked: int
) -> tuple[Batch, Targets]:
    """Lay chains (N, L) side by side in N rows, and ask for what the first `asked` of them hide.

    Symbol s has the id s + 1, since 0 is padding; what is hidden has the id after the last one.
    """
    ids = np.concatenate([np.where(h, symbols + 1, s + 1) for s, h in copies], axis=1)
    height, length = ids.shape
    each = length // len(copies)
    columns = torch.arange(length)
    plain = Visibility.plain([length] * height, length=length)
    document = (columns // each).to(torch.int32).expand(height, length)
    visibility = Visibility(
        document=document if apart else plain.document,
        enter=plain.enter, leave=plain.leave, trunk=plain.trunk,
        query_rank=plain.query_rank, key_rank=plain.key_rank,
    )  # fmt: skip
    wanted = np.concatenate([h & (number < asked) for number, (_, h) in enumerate(copies)], axis=1)
    truth = np.concatenate([s + 1 for s, _ in copies], axis=1)
    targets = Labelled.from_rows(
        [np.flatnonzero(row) for row in wanted],
        [row[w] for row, w in zip(truth, wanted, strict=True)],
        length=length,
    )
    token_ids = torch.from_numpy(ids)
    batch = Batch(
        token_ids,
        (columns % each).expand(height, length),
        torch.zeros_like(token_ids),
        visibility,
        torch.full((height,), length),
    )
    return batch, Targets(masked=targets)


class Learner:
    """A fresh model, what it learns from, and what it is measured on; a function of the seed."""

    def __init__(self, source: Source, experiment: Experiment, *, seed: int) -> None:
        """Draw the model and the sequences that are kept apart, the same for all experiments."""
        self.source, self.experiment = source, experiment
        config = EncoderConfig(
            vocab_size=source.symbols + 2, width=experiment.width, layers=experiment.layers,
            heads=2, feed_forward=4 * experiment.width, max_positions=experiment.length,
            dropout=0.0, attention_dropout=0.0,
        )  # fmt: skip
        weights = torch.Generator().manual_seed(seed)
        network = LanguageModel(Encoder(config, generator=weights), generator=weights)
        self.model = PretrainingModel(network)
        self.done = 0
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=experiment.rate)
        self._train = np.random.default_rng([seed, 0])
        self._kept = self._draw(experiment.kept, np.random.default_rng([seed, 1]), copies=2)
        self.best, self.guessed = self._best(self._kept)

    def train(self, steps: int) -> None:
        """Take some steps: a linear rise over 100 steps, then a line to 0 at the last step."""
        experiment = self.experiment
        for _ in range(steps):
            copies = self._draw(
                experiment.batch // experiment.copies, self._train, copies=experiment.copies
            )
            batch, targets = self._rows(copies, asked=experiment.copies)
            loss = self.model(batch, targets).weighted(Weights(), counts=targets.counts())
            for group in self._optimizer.param_groups:
                group["lr"] = experiment.rate * self._factor()
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            self.done += 1

    @torch.no_grad()
    def measure(self) -> Measure:
        """Measure on what is kept apart, in rows like those of the training.

        Of each row the first chain is asked for, so that all experiments have the same targets.
        """
        losses, right, owners = [], [], []
        for begin in range(0, self.experiment.kept, _PART):
            part = [(s[begin : begin + _PART], h[begin : begin + _PART]) for s, h in self._kept]
            batch, targets = self._rows(part[: self.experiment.copies], asked=1)
            wanted = targets.causal if self.experiment.causal else targets.masked
            assert wanted is not None
            logits = self._logits(batch).index_select(0, wanted.places)
            losses.append(cross_entropy(logits, wanted.labels, reduction="none"))
            right.append(logits.argmax(dim=-1) == wanted.labels)
            owners.append(begin + wanted.places // batch.token_ids.shape[1])
        loss = torch.cat(losses).double().numpy()
        excess, error = paired(loss - self.best, torch.cat(owners).numpy())
        accuracy = float(torch.cat(right).double().mean())
        return Measure(self.done, float(loss.mean()), accuracy, excess, error)

    def best_across(self) -> float:
        """Return the best possible loss of a model that sees the second copy of each chain."""
        (sequences, hidden), (_, other) = self._kept[:2]
        losses, _ = self.source.best_hidden(sequences, hidden & other)
        return float(losses.sum() / hidden.sum())

    def _draw(
        self, count: int, draw: np.random.Generator, *, copies: int
    ) -> list[tuple[Integers, Bools]]:
        experiment = self.experiment
        sequences = self.source.sample(count, length=experiment.length, draw=draw)
        return [(sequences, hide(sequences, share=experiment.share, draw=draw))] + [
            (sequences, hide(sequences, share=experiment.share, draw=draw))
            for _ in range(copies - 1)
        ]

    def _rows(self, copies: list[tuple[Integers, Bools]], *, asked: int) -> tuple[Batch, Targets]:
        if not self.experiment.causal:
            return rows(
                copies, symbols=self.source.symbols, apart=self.experiment.apart, asked=asked
            )
        shown = [(sequences, np.zeros_like(hidden)) for sequences, hidden in copies]
        batch, _ = rows(shown, symbols=self.source.symbols, apart=True, asked=asked)
        ordered, following = causal(batch)
        return ordered, Targets(causal=following)

    def _best(self, copies: list[tuple[Integers, Bools]]) -> tuple[Floats, Bools]:
        sequences, hidden = copies[0]
        if self.experiment.causal:
            return self.source.best_next(sequences)
        return self.source.best_hidden(sequences, hidden)

    def _logits(self, batch: Batch) -> Tensor:
        """Name the symbol at every place of a batch (B * L, V)."""
        network = self.model.network
        output: Any = network.encoder(
            batch.token_ids, positions=batch.positions, segments=batch.segments,
            visibility=batch.visibility,
        )  # fmt: skip
        return network.name_tokens(output.hidden.flatten(0, 1))

    def _factor(self) -> float:
        steps = self.experiment.steps
        left = (steps - self.done) / max(1, steps - _WARMUP)
        return min((self.done + 1) / _WARMUP, left)


def paired(differences: Floats, owners: Integers) -> tuple[float, float]:
    """Return the mean of differences (K,) and its standard error.

    Differences of one owner may depend on each other, those of different ones do not. The mean is
    a ratio of two sums over owners, of differences and of their number (Cochran 1977, section 6).
    """
    mean = float(differences.mean())
    residues = np.bincount(owners, weights=differences - mean)
    spread = float((residues**2).sum()) * len(residues) / max(1, len(residues) - 1)
    return mean, math.sqrt(spread) / len(differences)
