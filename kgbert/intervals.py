"""How sure a figure is: bootstrap intervals over queries, mean and deviation over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS: Final = 1 << 22  # drawn at a time, so that memory does not grow with draws


class Interval(NamedTuple):
    """Bounds of a figure."""

    low: float
    high: float


class MeanSd(NamedTuple):
    """Mean and sample standard deviation (n - 1; None for one value) of some scores."""

    mean: float
    sd: float | None
    n: int


def bootstrap(
    values: Mapping[str, NDArray[np.floating]],
    *,
    seed: int,
    draws: int = 1000,
    level: float = 0.95,
    clusters: NDArray[np.integer] | None = None,
) -> dict[str, Interval]:
    """Return a percentile interval of the mean of each of `values`, arrays (N,).

    Each draw takes as many clusters as there are, with replacement (Efron and Tibshirani 1993,
    chapter 13). `clusters` (N,) says which values belong together, as the head and the tail query
    of one test triple do, which are not independent; without it each value is on its own. All
    figures see the same draws, and the same seed gives the same draws.

    Raises `ValueError` without values, for a level outside (0, 1) or fewer than one draw.
    """
    if not (0 < level < 1 and draws >= 1):
        raise ValueError(f"level is {level}, draws {draws}; expected 0 < level < 1, draws >= 1")
    columns = np.stack([np.asarray(column, dtype=np.float64) for column in values.values()], axis=1)
    if not len(columns):
        raise ValueError("there is nothing to draw from: no values")
    groups = np.arange(len(columns)) if clusters is None else clusters
    _, places = np.unique(groups, return_inverse=True)
    sizes = np.bincount(places).astype(np.float64)
    totals = [np.bincount(places, weights=column) for column in columns.T]
    sums = np.stack(totals, axis=1).astype(np.float64)
    means = _drawn_means(sums, sizes, generator=np.random.default_rng(seed), draws=draws)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {name: Interval(float(low[i]), float(high[i])) for i, name in enumerate(values)}


def _drawn_means(
    sums: NDArray[np.float64],
    sizes: NDArray[np.float64],
    *,
    generator: np.random.Generator,
    draws: int,
) -> NDArray[np.float64]:
    """Return the means (draws, M) of `draws` resamples of clusters, `sums` (K, M), `sizes` (K,)."""
    count = len(sizes)
    means = []
    for start in range(0, draws, step := max(1, _CELLS // count)):
        some = min(step, draws - start)
        drawn = generator.integers(0, count, (some, count)) + np.arange(some)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=some * count).reshape(some, count)
        means.append((times @ sums) / (times @ sizes)[:, None])
    return np.concatenate(means)


def over_seeds(runs: Sequence[Mapping[str, float]]) -> dict[str, MeanSd]:
    """Return mean and sample standard deviation of each figure over several runs.

    Raises `ValueError` if there are no runs, they name different figures, or one is no number.
    """
    if not runs or any(run.keys() != runs[0].keys() for run in runs):
        raise ValueError("give at least one run, all of them with the same figures")
    found = {}
    for name in runs[0]:
        values = [float(run[name]) for run in runs]
        if not all(map(math.isfinite, values)):
            raise ValueError(f"{name} is not a finite number in every run")
        sd = statistics.stdev(values) if len(values) > 1 else None
        found[name] = MeanSd(statistics.fmean(values), sd, len(values))
    return found
