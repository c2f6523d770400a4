"""Figures of triple classification: are these triples true, and how sure may one be?

Labels are 1 (true) or 0; probabilities are those of the triple being true. The only file of the
package that knows scikit-learn's metrics.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS: Final = 15


@dataclass(frozen=True, slots=True)
class ClassificationMetrics:
    """Describe the classification of triples.

    - `triples`, `positives`: how many, and how many of them are true
    - `accuracy`, `f1`: of the decisions; F1 is that of true triples, 0 if none is found
    - `roc_auc`, `average_precision`: of the order of probabilities; None if all labels are equal
    - `brier`: mean squared distance of probability and label
    - `calibration_error`: as `calibration_error` computes it
    """

    triples: int
    positives: int
    accuracy: float
    f1: float
    roc_auc: float | None
    average_precision: float | None
    brier: float
    calibration_error: float

    def to_mapping(self) -> dict[str, Any]:
        """List the figures as plain values, for JSON."""
        return asdict(self)


def classification_metrics(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    *,
    decisions: NDArray[np.bool_] | None = None,
) -> ClassificationMetrics:
    """Compare `labels` (N,) with probabilities (N,) and decisions (N,), by default those from 0.5.

    Raises `ValueError` if there are no triples, the arrays do not fit, or a value is not of its
    kind: NaN or outside [0, 1], a label other than 0 and 1.
    """
    from sklearn import metrics

    decided = probabilities >= 0.5 if decisions is None else decisions
    _check(labels, probabilities, decided)
    both = 0 < labels.sum() < len(labels)
    return ClassificationMetrics(
        triples=len(labels),
        positives=int(labels.sum()),
        accuracy=float((decided == (labels == 1)).mean()),
        f1=float(metrics.f1_score(labels, decided.astype(labels.dtype), zero_division=0)),
        roc_auc=float(metrics.roc_auc_score(labels, probabilities)) if both else None,
        average_precision=(
            float(metrics.average_precision_score(labels, probabilities)) if both else None
        ),
        brier=float(np.mean((probabilities.astype(np.float64) - labels) ** 2)),
        calibration_error=calibration_error(labels, probabilities),
    )


def calibration_error(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], *, bins: int = BINS
) -> float:
    """Return the expected calibration error of the probability of being true.

    Triples are put into `bins` bins of equal width by their probability; the error is the mean,
    weighted by the number of triples, of the distance between a bin's mean probability and its
    share of true triples. Guo et al. 2017 (On Calibration of Modern Neural Networks, equation 3)
    bin the probability of the predicted class instead; this is the reliability diagram's form
    (scikit-learn's `calibration_curve`), which says more where one class is asked for.
    """
    exact = probabilities.astype(np.float64)
    places = np.minimum((exact * bins).astype(np.int64), bins - 1)
    distances = np.bincount(places, weights=exact - labels, minlength=bins)
    return float(np.abs(distances).sum() / len(labels))


def _check(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], decisions: NDArray[np.bool_]
) -> None:
    if not len(labels) == len(probabilities) == len(decisions) or not len(labels):
        raise ValueError(
            f"{len(labels)} labels, {len(probabilities)} probabilities and {len(decisions)} "
            "decisions; expected equally many, and some"
        )
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("a label is neither 0 nor 1")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability is not between 0 and 1")
