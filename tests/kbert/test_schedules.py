"""Every schedule against its closed form."""

from __future__ import annotations

import math
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.schedules import Schedule, rate_factor

SCHEDULES: tuple[Schedule, ...] = typing.get_args(Schedule)


def rates(schedule: Schedule, *, warmup: int, total: int) -> list[float]:
    return [rate_factor(schedule, step, warmup=warmup, total=total) for step in range(total + 1)]


def test_the_line_rises_then_falls_to_zero() -> None:
    rise = [1 / 4, 2 / 4, 3 / 4, 1]
    assert rates("linear", warmup=4, total=10) == pytest.approx(
        [*rise, *(n / 6 for n in range(6, -1, -1))]
    )
    assert rates("linear", warmup=0, total=4) == [1.0, 0.75, 0.5, 0.25, 0.0]


@given(total=st.integers(10, 3000), share=st.floats(0.05, 0.95))
def test_the_slanted_triangle_is_the_published_one(total: int, share: float) -> None:
    """Howard & Ruder 2018, equation 3; their cut is rounded down, and its fall ends near T."""
    cut = math.floor(total * share)
    if not 0 < cut < total:
        return
    exact = cut / total  # so that cut · (1/cut_frac - 1), the length of the fall, is a whole number
    for step, rate in enumerate(rates("slanted", warmup=cut, total=total)):
        part = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / exact - 1))
        assert rate == pytest.approx((1 + part * (32 - 1)) / 32, abs=1e-9)


def test_the_slanted_triangle_begins_and_ends_at_a_32nd() -> None:
    found = rates("slanted", warmup=10, total=100)
    assert (found[0], max(found), found.index(1.0), found[-1]) == (1 / 32, 1.0, 10, 1 / 32)
    assert rates("slanted", warmup=0, total=2) == pytest.approx([1.0, 33 / 64, 1 / 32])


def test_half_a_cosine() -> None:
    root = math.sqrt(0.5)
    fall = [1, (1 + root) / 2, 0.5, (1 - root) / 2, 0]
    assert rates("cosine", warmup=2, total=6) == pytest.approx([0.5, 1, *fall[1:]][:2] + fall)


def test_constant_after_the_rise() -> None:
    assert rates("constant", warmup=2, total=5) == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert rates("constant", warmup=0, total=3) == [1.0] * 4


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(total=st.integers(1, 300), share=st.floats(0, 1))
def test_each_rises_and_then_never_does(schedule: Schedule, total: int, share: float) -> None:
    warmup = round(total * share)
    found = rates(schedule, warmup=warmup, total=total)
    assert all(0 <= rate <= 1 for rate in found)
    rise, fall = found[:warmup], found[warmup:]
    assert rise == sorted(rise) and fall == sorted(fall, reverse=True)
    assert all(rate > 0 for rate in found[:-1])
