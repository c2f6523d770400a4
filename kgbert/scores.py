"""What a triple's two logits, false and true, say as one number.

All kinds grow with the belief that the triple is true. `difference` and `probability` (its
sigmoid, which is the softmax of the two) put triples in the same order, but for rounding: near 1
many differences become one probability, so ranks are made from differences. `logit1`, the logit of
true alone, is what the original ranks by (run_bert_link_prediction.py), and another order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ScoreKind = Literal["difference", "probability", "logit1"]


def scores_of(
    logits: NDArray[np.floating], *, kind: ScoreKind = "difference"
) -> NDArray[np.float64]:
    """Return scores (n,) of logits (n, 2), computed in 64 bits.

    Raises `ValueError` for logits of another shape, or an unknown kind.
    """
    if logits.ndim != 2 or logits.shape[1] != 2:
        raise ValueError(f"logits have shape {logits.shape}; expected (n, 2)")
    exact = logits.astype(np.float64)
    false, true = exact[:, 0], exact[:, 1]
    if kind == "logit1":
        return true
    if kind == "difference":
        return np.asarray(true - false)
    if kind != "probability":
        raise ValueError(f"no kind {kind!r} of scores; known are difference, probability, logit1")
    return sigmoid(true - false)


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)) of each value, without overflow."""
    # Both forms are exact where they are used; the other one would overflow.
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + small), small / (1 + small))
