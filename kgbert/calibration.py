"""Probabilities that may be taken at their word, fitted on labelled triples.

A network trained on drawn negatives is surer than it should be, and its probabilities mean what
those negatives were. A calibrator maps differences of logits (`kgbert.scores`) to the share of
true triples among labelled ones with such a difference. Isotonic regression never turns the order
of two triples round, though it may make them equal; Platt's sigmoid does where the labels
contradict the scores. The only file that knows how scikit-learn fits; applying a calibrator needs
numpy alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from graphs.errors import suggestion
from kbert.errors import CheckpointError, DataError, RunError, SettingsError
from kbert.nn.checksums import is_there, read_bytes, seal, unseal, write
from kbert.nn.folder import parse_json
from kgbert.scores import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["platt", "isotonic"]

CALIBRATOR: Final = "calibrator.json"
_ROUNDING: Final = 1e-12  # of equal numbers' deviation to their size; logits have 24 bits


@dataclass(frozen=True)
class Calibrator:
    """Map differences of logits to probabilities, by `knots`.

    Of `platt` they are one pair, slope and intercept of a sigmoid; of `isotonic` ascending
    differences and their probabilities, with straight lines between them and level ends.
    """

    method: Method
    knots: tuple[tuple[float, float], ...]

    @classmethod
    def fit(
        cls,
        differences: NDArray[np.floating],
        labels: NDArray[np.integer],
        *,
        method: Method = "platt",
    ) -> Calibrator:
        """Fit to differences (N,) of triples with `labels` (N,), 1 for true and 0 for false.

        Platt's method is that of Platt 1999 (Probabilistic Outputs for Support Vector Machines,
        section 2.2) with its smoothed targets, so that separable triples get a finite slope;
        isotonic regression is that of Zadrozny and Elkan 2002 (Transforming Classifier Scores into
        Accurate Multiclass Probability Estimates), and wants hundreds of triples.

        Raises `SettingsError` for another method, and `DataError` unless there are triples of both
        labels, as many as differences, and all of them finite.
        """
        if method not in get_args(Method):
            known = get_args(Method)
            raise SettingsError(
                f"no method {method!r}; known are {', '.join(known)}{suggestion(method, known)}"
            )
        exact = _checked(differences, labels)
        return cls(method, (_platt if method == "platt" else _isotonic)(exact, labels == 1))

    def probabilities(self, differences: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability (n,) of each triple being true."""
        exact = differences.astype(np.float64)
        if self.method == "platt":
            ((slope, intercept),) = self.knots
            return sigmoid(slope * exact + intercept)
        places, values = np.array(self.knots).T
        return np.asarray(np.interp(exact, places, values))

    def write(self, folder: str | Path) -> None:
        """Write `calibrator.json` into a run, which then has it. Raises `RunError`.

        Killed at any moment this leaves the run with the old calibrator, the new one, or the new
        one without its checksum.
        """
        path = Path(folder)
        text = json.dumps(self.to_mapping(), indent=2, allow_nan=False) + "\n"
        try:
            unseal(path, CALIBRATOR)
            write(path / CALIBRATOR, text.encode())
            seal(path, (CALIBRATOR,))
        except OSError as error:
            raise RunError(f"{folder}: cannot be written to: {error.strerror}") from None

    @classmethod
    def read(cls, folder: str | Path) -> Calibrator | None:
        """Read `calibrator.json`; None where there is none. Raises `RunError` for a broken one."""
        file = Path(folder) / CALIBRATOR
        try:
            if not is_there(file):
                return None
            return cls.from_mapping(parse_json(read_bytes(file)))
        except CheckpointError as error:
            raise RunError(str(error)) from None
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{file}: damaged, remove it: {error}") from None

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"method": self.method, "knots": [list(pair) for pair in self.knots]}

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Calibrator:
        """Read what `to_mapping` gave. Raises `KeyError`, `TypeError` or `ValueError` if broken."""
        knots = tuple((float(place), float(value)) for place, value in content["knots"])
        method = content["method"]
        if method not in get_args(Method) or not knots or (method == "platt" and len(knots) != 1):
            raise ValueError(f"no calibrator: {method!r} with {len(knots)} knots")
        if not np.isfinite(knots).all():
            raise ValueError("a knot is not a finite number")
        return cls(method, knots)


def _checked(differences: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    if differences.shape != labels.shape or labels.ndim != 1:
        raise DataError(
            f"scores of shape {differences.shape} and labels of shape {labels.shape}; expected as"
            " many labels, 0 or 1"
        )
    if not ((labels == 0) | (labels == 1)).all():
        raise DataError(
            f"{len(differences)} scores and {len(labels)} labels; expected as many labels, 0 or 1"
        )
    positives = int(labels.sum())
    if not 0 < positives < len(labels):
        raise DataError(
            f"{positives} true and {len(labels) - positives} false triples; give some of both"
        )
    exact = differences.astype(np.float64)
    if not np.isfinite(exact).all():
        raise DataError("a score is not a finite number")
    return exact


def _platt(
    differences: NDArray[np.float64], true: NDArray[np.bool_]
) -> tuple[tuple[float, float], ...]:
    """Fit a sigmoid; a smoothed target is a triple of both labels, weighted.

    Equal differences have no slope; what the rounding of their mean leaves of one would be huge.
    """
    from sklearn.linear_model import LogisticRegression

    positives, negatives = int(true.sum()), int((~true).sum())
    target = np.where(true, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    spread, middle = float(differences.std()), float(differences.mean())
    if spread <= _ROUNDING * float(np.abs(differences).max()):
        share = float(target.mean())
        return ((0.0, math.log(share / (1 - share))),)
    scaled = ((differences - middle) / spread)[:, None]  # so that the optimiser sees no units
    model = LogisticRegression(C=np.inf, tol=1e-9, max_iter=1000)
    model.fit(
        np.concatenate([scaled, scaled]),
        np.repeat([1, 0], len(true)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope = model.coef_.item() / spread
    return ((slope, model.intercept_.item() - slope * middle),)


def _isotonic(
    differences: NDArray[np.float64], true: NDArray[np.bool_]
) -> tuple[tuple[float, float], ...]:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(differences, true.astype(np.float64))
    return tuple(zip(model.X_thresholds_.tolist(), model.y_thresholds_.tolist(), strict=True))
