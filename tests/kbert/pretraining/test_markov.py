"""A source whose best possible loss is known: a Markov chain, a share of whose symbols is hidden.

The chance of a hidden symbol given all that is not hidden is computed exactly, by the forward and
backward recursions of a hidden Markov model. No model can do better on average, so a lower loss is
a leak; and one that stays at the unigram entropy makes no use of its attention.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from kbert.batch import Batch
from kbert.nn import Encoder, EncoderConfig, LanguageModel, Visibility
from kbert.pretraining.objectives import Losses, PretrainingModel, Weights
from kbert.pretraining.targets import Labelled, Targets

SYMBOLS = 32
LENGTH = 64
SHARE = 0.15
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Source:
    """A stationary Markov chain over V symbols."""

    transition: Floats
    """(V, V): row i is the distribution of what follows i."""
    stationary: Floats
    """(V,): the distribution of the first symbol, and of every other."""

    @classmethod
    def draw(cls, *, symbols: int, seed: int) -> Source:
        """Draw each row from a Dirichlet distribution of 0.1, which makes it spiky."""
        rows = np.random.default_rng(seed).dirichlet(np.full(symbols, 0.1), symbols)
        system = np.vstack([rows.T - np.eye(symbols), np.ones(symbols)])
        stationary = np.linalg.lstsq(system, np.eye(symbols + 1)[-1], rcond=None)[0]
        return cls(rows, np.clip(stationary, 0, None) / np.clip(stationary, 0, None).sum())

    @property
    def unigram_entropy(self) -> float:
        """Entropy of a symbol of which nothing is known, in nats."""
        chances = self.stationary[self.stationary > 0]
        return float(-(chances * np.log(chances)).sum())

    def sample(self, count: int, *, length: int, draw: np.random.Generator) -> Integers:
        """Draw sequences (count, length)."""
        first, following = self.stationary.cumsum(), self.transition.cumsum(axis=1)
        sequences = np.zeros((count, length), dtype=np.int64)
        for t in range(length):
            bounds = following[sequences[:, t - 1]] if t else first
            chosen = (draw.random((count, 1)) * bounds[..., -1:] >= bounds).sum(axis=1)
            sequences[:, t] = chosen
        return sequences

    def posterior(self, sequences: Integers, hidden: Bools) -> Floats:
        """Return P(symbol at t | all that is not hidden), (N, L, V), for sequences (N, L)."""
        seen = np.where(hidden[..., None], 1.0, np.eye(len(self.stationary))[sequences])
        forward, backward = np.ones_like(seen), np.ones_like(seen)
        forward[:, 0] = self.stationary
        for t in range(1, seen.shape[1]):
            forward[:, t] = _normal((forward[:, t - 1] * seen[:, t - 1]) @ self.transition)
        for t in range(seen.shape[1] - 2, -1, -1):
            backward[:, t] = _normal((backward[:, t + 1] * seen[:, t + 1]) @ self.transition.T)
        return _normal(forward * seen * backward)


def _normal(chances: Floats) -> Floats:
    return chances / chances.sum(axis=-1, keepdims=True)


SOURCE = Source.draw(symbols=SYMBOLS, seed=0)


def hide(sequences: Integers, *, draw: np.random.Generator) -> Bools:
    return draw.random(sequences.shape) < SHARE


def bayes(source: Source, sequences: Integers, hidden: Bools) -> tuple[Floats, Bools]:
    """Return the best possible loss of each hidden symbol, and whether its guess is right."""
    chances = source.posterior(sequences, hidden)[hidden]
    truth = sequences[hidden]
    return -np.log(chances[np.arange(len(truth)), truth]), chances.argmax(axis=1) == truth


@given(st.integers(2, 4), st.integers(1, 5), st.integers(0, 2**5 - 1), st.integers(0, 99))
def test_the_posterior_is_that_of_enumeration(
    symbols: int, length: int, bits: int, seed: int
) -> None:
    source = Source.draw(symbols=symbols, seed=seed)
    np.testing.assert_allclose(source.stationary @ source.transition, source.stationary, atol=1e-9)
    sequence = source.sample(1, length=length, draw=np.random.default_rng(seed))
    hidden = np.array([[bool(bits >> t & 1) for t in range(length)]])
    expected = np.zeros((length, symbols))
    for other in itertools.product(range(symbols), repeat=length):
        if all(h or o == s for h, o, s in zip(hidden[0], other, sequence[0], strict=True)):
            chance = source.stationary[other[0]] * np.prod(
                [source.transition[a, b] for a, b in itertools.pairwise(other)]
            )
            expected[np.arange(length), other] += chance
    np.testing.assert_allclose(source.posterior(sequence, hidden)[0], _normal(expected), atol=1e-9)


def test_the_source_is_the_one_of_the_known_figures() -> None:
    assert SOURCE.unigram_entropy == pytest.approx(3.2643, abs=5e-5)
    draw = np.random.default_rng(1)
    sequences = SOURCE.sample(2000, length=LENGTH, draw=draw)
    shares = np.bincount(sequences.ravel(), minlength=SYMBOLS) / sequences.size
    np.testing.assert_allclose(shares, SOURCE.stationary, atol=0.01)
    losses, right = bayes(SOURCE, sequences, hide(sequences, draw=draw))
    error = losses.std() / len(losses) ** 0.5
    assert losses.mean() == pytest.approx(0.9367, abs=4 * error)
    assert right.mean() == pytest.approx(0.6653, abs=0.02)
    everything = bayes(SOURCE, sequences[:200, :3], np.ones((200, 3), dtype=np.bool_))[0]
    assert everything.mean() == pytest.approx(SOURCE.unigram_entropy, abs=0.15)


def batch_of(
    sequences: Integers, hidden: Bools, *, beside: Integers | None = None
) -> tuple[Batch, Targets]:
    """Hide symbols behind one of their own; rows may pack another document `beside` them."""
    rows = np.where(hidden, SYMBOLS + 1, sequences + 1)  # 0 is padding
    parts = [rows] if beside is None else [rows, beside + 1]
    ids = torch.from_numpy(np.concatenate(parts, axis=1))
    length = torch.tensor([ids.shape[1]]).expand(len(ids))
    document = (torch.arange(ids.shape[1]) // LENGTH).to(torch.int32).expand_as(ids)
    plain = Visibility.plain([ids.shape[1]] * len(ids), length=ids.shape[1])
    visibility = Visibility(
        document=document, enter=plain.enter, leave=plain.leave, trunk=plain.trunk,
        query_rank=plain.query_rank, key_rank=plain.key_rank,
    )  # fmt: skip
    positions = (torch.arange(ids.shape[1]) % LENGTH).expand_as(ids)
    targets = Labelled.from_rows(
        [np.flatnonzero(row) for row in hidden],
        [row[h] + 1 for row, h in zip(sequences, hidden, strict=True)],
        length=ids.shape[1],
    )
    batch = Batch(ids, positions, torch.zeros_like(ids), visibility, length)
    return batch, Targets(masked=targets)


class Check:
    """A small BERT that learns the source, and its loss on sequences kept apart."""

    def __init__(self, *, steps: int, seed: int) -> None:
        config = EncoderConfig(
            vocab_size=SYMBOLS + 2, width=128, layers=2, heads=2, feed_forward=512,
            max_positions=LENGTH, dropout=0.0, attention_dropout=0.0,
        )  # fmt: skip
        generator = torch.Generator().manual_seed(seed)
        encoder = Encoder(config, generator=generator)
        self.model = PretrainingModel(LanguageModel(encoder, generator=generator))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: min((step + 1) / 100, (steps - step) / (steps - 100))
        )
        self.draw = np.random.default_rng(seed)
        self.kept = SOURCE.sample(500, length=LENGTH, draw=self.draw)
        self.hidden = hide(self.kept, draw=self.draw)
        self.bayes = float(bayes(SOURCE, self.kept, self.hidden)[0].mean())

    def train(self, steps: int) -> float:
        """Take some steps, and return the loss on what is kept apart."""
        for _ in range(steps):
            sequences = SOURCE.sample(64, length=LENGTH, draw=self.draw)
            batch, targets = batch_of(sequences, hide(sequences, draw=self.draw))
            loss: Tensor = self.model(batch, targets).weighted(Weights(), counts=targets.counts())
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
        return self.evaluate()

    @torch.no_grad()
    def evaluate(self, *, with_answers_beside: bool = False) -> float:
        losses = []
        for part in np.split(np.arange(len(self.kept)), 5):
            beside = self.kept[part] if with_answers_beside else None
            batch, targets = batch_of(self.kept[part], self.hidden[part], beside=beside)
            losses.append(self.model(batch, targets))
        return Losses.combine(losses).scores()["masked"].loss


@pytest.mark.long
def test_the_model_goes_from_the_unigram_plateau_to_bayes(record_property: Any) -> None:
    """Loss before any step, on the plateau at 200, and at the end of 2,500 steps (12 minutes)."""
    check = Check(steps=2500, seed=2)
    start, plateau, end = check.train(0), check.train(200), check.train(2300)
    record_property("losses", (start, plateau, end, check.bayes))
    assert start == pytest.approx(np.log(SYMBOLS + 2), abs=0.4)
    assert plateau == pytest.approx(SOURCE.unigram_entropy, abs=0.05)
    assert check.bayes <= end <= 1.1 * check.bayes
    # The same chain in the clear, as another document of the row, gives nothing away.
    assert check.evaluate(with_answers_beside=True) == pytest.approx(end, abs=1e-5)
