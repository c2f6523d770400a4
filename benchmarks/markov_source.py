"""A source whose best possible loss is known: a Markov chain, a share of whose symbols is hidden.

The chance of a hidden symbol given all that is not hidden is computed exactly, by the forward and
backward recursions of a hidden Markov model; that of the next symbol is a row of the transition
matrix. No model can do better on average (Gibbs' inequality), so a lower loss is a leak; and one
that stays at the unigram entropy makes no use of its attention. Shapes: N sequences, L length,
V symbols, K hidden symbols.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    def symbols(self) -> int:
        """Number of symbols."""
        return len(self.stationary)

    @property
    def unigram_entropy(self) -> float:
        """Entropy of a symbol of which nothing is known, in nats."""
        return float(_entropy(self.stationary))

    @property
    def entropy_rate(self) -> float:
        """Entropy of a symbol of which all that came before is known, in nats."""
        return float(self.stationary @ _entropy(self.transition))

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
        seen = np.where(hidden[..., None], 1.0, np.eye(self.symbols)[sequences])
        forward, backward = np.ones_like(seen), np.ones_like(seen)
        forward[:, 0] = self.stationary
        for t in range(1, seen.shape[1]):
            forward[:, t] = _normal((forward[:, t - 1] * seen[:, t - 1]) @ self.transition)
        for t in range(seen.shape[1] - 2, -1, -1):
            backward[:, t] = _normal((backward[:, t + 1] * seen[:, t + 1]) @ self.transition.T)
        return _normal(forward * seen * backward)

    def best_hidden(self, sequences: Integers, hidden: Bools) -> tuple[Floats, Bools]:
        """Return the best possible loss (K,) of each hidden symbol, and whether it is guessed."""
        return _scored(self.posterior(sequences, hidden)[hidden], sequences[hidden])

    def best_next(self, sequences: Integers) -> tuple[Floats, Bools]:
        """Return the same, (N * (L - 1),), of each symbol but the first, told from those before."""
        chances = self.transition[sequences[:, :-1]].reshape(-1, self.symbols)
        return _scored(chances, sequences[:, 1:].ravel())


def hide(sequences: Integers, *, share: float, draw: np.random.Generator) -> Bools:
    """Choose what is hidden (N, L), each symbol with the same chance and for itself."""
    return draw.random(sequences.shape) < share


def _scored(chances: Floats, truth: Integers) -> tuple[Floats, Bools]:
    return -np.log(chances[np.arange(len(truth)), truth]), chances.argmax(axis=1) == truth


def _normal(chances: Floats) -> Floats:
    normed: Floats = chances / chances.sum(axis=-1, keepdims=True)
    return normed


def _entropy(chances: Floats) -> Floats:
    """Return the entropy (...,) of distributions (..., V), in nats."""
    safe = np.where(chances > 0, chances, 1.0)
    entropy: Floats = -(safe * np.log(safe) * (chances > 0)).sum(axis=-1)
    return entropy
