"""How sure a figure on a test set is: percentile bootstrap over its examples.

Each draw takes as many examples as there are, with replacement (Efron and Tibshirani 1993, chapter
13); the interval holds the middle 95 % of what the figure comes to. An example enters only through
counts, such as spans found, wanted and right, of which a figure knows the sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS: Final = 1_000
_LEVEL: Final = 0.95
_CELLS: Final = 1 << 22  # drawn at a time, so that memory does not grow with draws


class Estimate(NamedTuple):
    """A figure and its interval."""

    value: float
    low: float
    high: float


def estimate(
    counts: NDArray[np.number],
    figure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    times: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate a `figure` of the sums of `counts` (N, K), a row an example.

    `figure` takes sums (D, K) and gives (D,). `times` (N,) says how many examples have these
    counts (default: one each). Raises `ValueError` if there are no examples.
    """
    weights = np.ones(len(counts)) if times is None else np.asarray(times, dtype=np.float64)
    size = int(weights.sum())
    if not size:
        raise ValueError("there is nothing to draw from: no examples")
    exact = np.asarray(counts, dtype=np.float64)
    generator = np.random.default_rng(seed)
    found = []
    step = max(1, _CELLS // len(exact))
    for start in range(0, DRAWS, step):
        drawn = generator.multinomial(size, weights / size, size=min(step, DRAWS - start))
        found.append(figure(drawn @ exact))
    low, high = np.quantile(np.concatenate(found), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(float(figure((weights @ exact)[None])[0]), float(low), float(high))


def ratio(over: int, under: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the figure that divides column `over` by column `under`; by nothing it is 0."""

    def figure(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return sums[:, over] / np.maximum(sums[:, under], 1e-300) * (sums[:, under] > 0)

    return figure


def macro_f1(labels: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the mean F1 of those labels that occur; columns are right, wanted and given, by label.

    It is `kbert.metrics.macro_f1` of each draw.
    """

    def figure(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        right, wanted, given = sums.reshape(len(sums), 3, labels).transpose(1, 0, 2)
        occurring = wanted + given > 0
        each = 2 * right / np.maximum(wanted + given, 1)
        return np.asarray(each.sum(axis=1) / np.maximum(occurring.sum(axis=1), 1))

    return figure


def span_f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the F1 of spans from the columns right, wanted and given."""
    right, wanted, given = sums.T
    return np.asarray(2 * right / np.maximum(wanted + given, 1))
