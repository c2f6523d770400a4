from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kgbert.scores import ScoreKind, scores_of

LOGITS = np.array([[0.5, 2.0], [-90.0, 900.0], [3.0, 3.0], [800.0, -10.0]], dtype=np.float32)


def test_the_probability_is_the_softmax() -> None:
    expected = torch.softmax(torch.from_numpy(LOGITS).double(), dim=1)[:, 1].numpy()
    found = scores_of(LOGITS, kind="probability")
    assert found == pytest.approx(expected, rel=1e-12, abs=0)
    assert found[2] == 0.5


def test_differences_keep_apart_what_probabilities_do_not() -> None:
    sure = np.array([[0.0, 60.0], [0.0, 61.0]], dtype=np.float32)
    assert len(set(scores_of(sure, kind="probability"))) == 1
    assert scores_of(sure).tolist() == [60.0, 61.0]


def test_the_originals_score_is_one_logit() -> None:
    assert scores_of(LOGITS, kind="logit1").tolist() == [2.0, 900.0, 3.0, -10.0]


@pytest.mark.parametrize(
    ("logits", "kind", "said"),
    [(LOGITS[:, :1], "difference", "expected"), (LOGITS, "other", "no kind 'other'")],
)
def test_anything_else_is_refused(logits: Any, kind: ScoreKind, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scores_of(logits, kind=kind)
