"""Laws of span lengths against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kbert.errors import SettingsError
from kbert.pretraining.lengths import SpanLengths
from kbert.pretraining.streams import words

LAWS = {
    "one": SpanLengths.one(),
    "geometric": SpanLengths.geometric(),
    "inverse": SpanLengths.inverse(),
    "poisson": SpanLengths.poisson(),
}


def test_the_laws_are_those_of_the_papers() -> None:
    assert SpanLengths.geometric().mean == pytest.approx(3.80, abs=0.005)  # SpanBERT, figure 2
    q = 0.8  # the mean of a geometric law that is cut at 10, in closed form
    closed = (1 - 11 * q**10 + 10 * q**11) / (1 - q) / (1 - q**10)
    assert SpanLengths.geometric().mean == pytest.approx(closed)
    assert SpanLengths.inverse().shares == pytest.approx((6 / 11, 3 / 11, 2 / 11))  # ALBERT
    shares = SpanLengths.poisson(rate=3.0, longest=60).shares
    assert shares[2] == pytest.approx(3**3 * math.exp(-3) / 6 / (1 - math.exp(-3)))
    assert SpanLengths.one().mean == 1.0


@pytest.mark.parametrize("name", LAWS)
def test_draws_follow_the_law(name: str) -> None:
    law, count = LAWS[name], 40_000
    assert math.isclose(math.fsum(law.shares), 1.0)
    drawn = law.draw(words(np.array([5], dtype=np.uint64), np.arange(count)))
    assert drawn.min() == 1 and drawn.max() <= len(law.shares)
    for length, share in enumerate(law.shares, 1):
        bound = 5 * math.sqrt(share * (1 - share) / count) + 1e-9
        assert abs((drawn == length).mean() - share) < bound
    ends = law.draw(np.array([0, 2**64 - 1], dtype=np.uint64))
    assert ends.tolist() == [1, len(law.shares)]


def test_laws_that_cannot_be_are_refused() -> None:
    for make in (
        lambda: SpanLengths.geometric(stop=0.0),
        lambda: SpanLengths.geometric(longest=0),
        lambda: SpanLengths.inverse(0),
        lambda: SpanLengths.poisson(rate=-1.0),
    ):
        with pytest.raises(SettingsError, match="give"):
            make()
