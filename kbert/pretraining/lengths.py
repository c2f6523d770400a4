"""How many units a masked span has: a law over 1, 2, …, longest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbert.errors import SettingsError
from kbert.pretraining.streams import uniforms


@dataclass(frozen=True, slots=True)
class SpanLengths:
    """A law of span lengths: `shares[i]` is the probability of i + 1 units."""

    shares: tuple[float, ...]

    @classmethod
    def one(cls) -> SpanLengths:
        """Mask single units, as BERT does."""
        return cls((1.0,))

    @classmethod
    def geometric(cls, *, stop: float = 0.2, longest: int = 10) -> SpanLengths:
        """Return SpanBERT's law: after each unit the span ends with probability `stop`.

        Lengths beyond `longest` are left out and the rest renormalised, so that the defaults have
        a mean of 3.80 (Joshi et al. 2020, section 3.1).
        """
        if not 0 < stop <= 1:
            raise SettingsError(f"a span's probability to end is {stop}: give one above 0, up to 1")
        return cls(_normal(stop * (1 - stop) ** i for i in range(longest)))

    @classmethod
    def inverse(cls, longest: int = 3) -> SpanLengths:
        """Return ALBERT's law: n units with a probability proportional to 1 / n."""
        return cls(_normal(1 / n for n in range(1, longest + 1)))

    @classmethod
    def poisson(cls, *, rate: float = 3.0, longest: int = 10) -> SpanLengths:
        """Return BART's law without its empty spans: Poisson(`rate`), given 1 to `longest`."""
        if not rate > 0:
            raise SettingsError(f"the rate of span lengths is {rate}: give one above 0")
        logs = [n * math.log(rate) - math.lgamma(n + 1) for n in range(1, longest + 1)]
        return cls(_normal(math.exp(log - max(logs)) for log in logs))

    @property
    def mean(self) -> float:
        """Return the mean length, in units."""
        return sum(share * length for length, share in enumerate(self.shares, 1))

    def draw(self, words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Turn random words into lengths of the same shape."""
        edges = np.cumsum(self.shares)[:-1]
        return np.searchsorted(edges, uniforms(words), side="right") + 1


def _normal(weights: Iterable[float]) -> tuple[float, ...]:
    """Scale weights so that their sum is 1."""
    found = list(weights)
    if not found:
        raise SettingsError("the longest span has no unit: give a length of at least 1")
    total = math.fsum(found)
    return tuple(weight / total for weight in found)
