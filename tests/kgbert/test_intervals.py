"""Bootstrap intervals against the normal approximation and by hand; figures over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from kgbert.intervals import bootstrap, over_seeds


def test_an_interval_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=2000)
    low, high = bootstrap({"x": values}, seed=1, draws=4000)["x"]
    error = values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    narrow = bootstrap({"x": values}, seed=1, draws=4000, level=0.5)["x"]
    assert narrow.high - narrow.low == pytest.approx(2 * 0.6745 * error, rel=0.1)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(5)
    hits = 0
    for number in range(300):
        sample = (generator.random(150) < 0.3).astype(float)
        low, high = bootstrap({"x": sample}, seed=number, draws=300, level=0.9)["x"]
        hits += low <= 0.3 <= high
    assert 0.84 <= hits / 300 <= 0.95


def test_two_values_of_a_cluster_are_drawn_together() -> None:
    """Doubling every value leaves the interval as it is, if the clusters say so."""
    values = np.random.default_rng(2).random(400)
    twice, clusters = np.repeat(values, 2), np.repeat(np.arange(400), 2)
    alone = bootstrap({"x": values}, seed=3)["x"]
    assert bootstrap({"x": twice}, seed=3, clusters=clusters)["x"] == pytest.approx(alone)
    careless = bootstrap({"x": twice}, seed=3)["x"]
    assert careless.high - careless.low < 0.8 * (alone.high - alone.low)


def test_draws_are_those_of_a_plain_loop_and_of_the_seed_alone() -> None:
    values, clusters = np.array([1.0, 5.0, 2.0, 7.0, 0.0]), np.array([4, 4, 9, 9, 2])
    members = [values[clusters == cluster] for cluster in (2, 4, 9)]
    generator = np.random.default_rng(11)
    means = []
    for row in generator.integers(0, 3, (60, 3)):
        drawn = np.concatenate([members[number] for number in row])
        means.append(drawn.mean())
    expected = np.quantile(means, [0.1, 0.9])
    found = bootstrap({"x": values, "y": -values}, seed=11, draws=60, level=0.8, clusters=clusters)
    assert found["x"] == pytest.approx(tuple(expected))
    assert found["y"] == pytest.approx((-found["x"].high, -found["x"].low))
    assert found == bootstrap(
        {"x": values, "y": -values}, seed=11, draws=60, level=0.8, clusters=clusters
    )


def test_memory_is_bounded_by_drawing_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).random(50)
    whole = bootstrap({"x": values}, seed=3, draws=40)
    monkeypatch.setattr("kgbert.intervals._CELLS", 120)
    assert bootstrap({"x": values}, seed=3, draws=40) == whole


@pytest.mark.parametrize(("level", "draws"), [(0.0, 5), (1.0, 5), (0.9, 0)])
def test_what_cannot_be_drawn_is_refused(level: float, draws: int) -> None:
    with pytest.raises(ValueError, match="expected 0 < level < 1"):
        bootstrap({"x": np.ones(3)}, seed=0, level=level, draws=draws)
    with pytest.raises(ValueError, match="no values"):
        bootstrap({"x": np.ones(0)}, seed=0)


def test_several_seeds_have_a_mean_and_a_deviation() -> None:
    found = over_seeds([{"mrr": 0.2, "mr": 10}, {"mrr": 0.4, "mr": 10}, {"mrr": 0.6, "mr": 10}])
    assert found["mrr"] == pytest.approx((0.4, 0.2, 3))
    assert found["mr"] == (10.0, 0.0, 3)
    assert over_seeds([{"mrr": 0.2}])["mrr"] == (0.2, None, 1)


def test_runs_must_name_the_same_numbers() -> None:
    with pytest.raises(ValueError, match="the same figures"):
        over_seeds([{"mrr": 0.2}, {"mr": 3.0}])
    with pytest.raises(ValueError, match="the same figures"):
        over_seeds([])
    with pytest.raises(ValueError, match="not a finite number"):
        over_seeds([{"mrr": 0.2}, {"mrr": float("nan")}])
