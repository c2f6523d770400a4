"""Calibrated probabilities: those that Platt's loss and isotonic regression define."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from kbert.errors import DataError, SettingsError
from kgbert.calibration import Calibrator, Method


def drawn(count: int, *, slope: float, shift: float) -> tuple[Any, Any]:
    """Draw differences, and labels that are true as often as a sigmoid of them says."""
    generator = np.random.default_rng(0)
    differences = generator.normal(0, 4, count)
    chance = 1 / (1 + np.exp(-(slope * differences + shift)))
    return differences, (generator.random(count) < chance).astype(np.int8)


def test_platt_finds_the_sigmoid_that_drew_the_labels() -> None:
    differences, labels = drawn(20_000, slope=0.5, shift=-1.0)
    ((slope, shift),) = Calibrator.fit(differences, labels, method="platt").knots
    assert abs(slope - 0.5) < 0.02 and abs(shift + 1.0) < 0.06


def test_platt_minimises_his_loss() -> None:
    """The gradient of the cross-entropy with smoothed targets is zero at what was found."""
    differences, labels = drawn(300, slope=1.0, shift=0.5)
    fitted = Calibrator.fit(differences, labels, method="platt")
    positives = int(labels.sum())
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (302 - positives))
    error = fitted.probabilities(differences) - target
    assert abs(error.mean()) < 1e-6 and abs((error * differences).mean()) < 1e-6


def test_separable_triples_get_finite_probabilities() -> None:
    fitted = Calibrator.fit(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0, 0, 1, 1]))
    found = fitted.probabilities(np.array([-1e9, -2.5, 2.5, 1e9]))
    assert np.isfinite(found).all() and (np.diff(found) > 0).all()
    assert abs(found[1] - 0.25) < 0.02 and abs(found[2] - 0.75) < 0.02  # 1 / 4 and 3 / 4


@settings(max_examples=30)
@given(st.floats(-60, 60), st.integers(1, 9), st.integers(1, 9))
def test_equal_differences_have_no_slope(value: float, positives: int, negatives: int) -> None:
    """The rounding of their mean once gave slopes of 1e16, and with them certainty elsewhere."""
    labels = np.repeat([1, 0], [positives, negatives])
    fitted = Calibrator.fit(np.full(len(labels), value), labels)
    target = positives * (positives + 1) / (positives + 2) + negatives / (negatives + 2)
    asked = np.array([value - 1, value, value + 1])
    assert np.abs(fitted.probabilities(asked) - target / len(labels)).max() < 1e-12


def test_the_smallest_difference_of_logits_is_a_slope() -> None:
    near = np.float32(7.3)
    both = np.array([near, np.nextafter(near, np.float32(9))], dtype=np.float64)
    fitted = Calibrator.fit(np.repeat(both, 500), np.repeat([0, 1], 500))
    assert (np.abs(fitted.probabilities(both) - [1 / 502, 501 / 502]) < 1e-3).all()


def test_isotonic_is_that_of_scikit_learn() -> None:
    differences, labels = drawn(500, slope=0.5, shift=0.0)
    fitted = Calibrator.fit(differences, labels, method="isotonic")
    theirs = IsotonicRegression(out_of_bounds="clip").fit(differences, labels)
    asked = np.concatenate([differences, np.linspace(-30, 30, 200)])
    assert np.abs(fitted.probabilities(asked) - theirs.predict(asked)).max() < 1e-12


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.floats(-50, 50), st.integers(0, 1)), min_size=2, max_size=30),
    st.sampled_from(["platt", "isotonic"]),
)
def test_json_keeps_every_probability_and_isotonic_keeps_the_order(
    rows: list[tuple[float, int]], method: Method
) -> None:
    differences, labels = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if labels.min() == labels.max():
        with pytest.raises(DataError, match="give some of both"):
            Calibrator.fit(differences, labels, method=method)
        return
    fitted = Calibrator.fit(differences, labels, method=method)
    again = Calibrator.from_mapping(json.loads(json.dumps(fitted.to_mapping())))
    found = fitted.probabilities(np.sort(differences))
    assert np.array_equal(again.probabilities(np.sort(differences)), found)
    assert ((found >= 0) & (found <= 1)).all()
    if method == "isotonic":
        assert (np.diff(found) >= 0).all()


def test_what_cannot_be_fitted_is_said() -> None:
    some = np.array([0.0, 1.0])
    with pytest.raises(SettingsError, match="no method 'plat'; known are platt, isotonic; did you"):
        Calibrator.fit(some, np.array([0, 1]), method="plat")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="0 or 1"):
        Calibrator.fit(some, np.array([0, 2]))
    with pytest.raises(DataError, match="finite"):
        Calibrator.fit(np.array([0.0, np.nan]), np.array([0, 1]))
    with pytest.raises(ValueError, match="no calibrator"):
        Calibrator.from_mapping({"method": "platt", "knots": []})
