"""Packed rows: every sequence once, in few rows, and laid out so that they can be told apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.pretraining.packing import Batches, Rows, layout, pack

LENGTHS = st.lists(st.integers(1, 12), max_size=9)


def fewest_rows(lengths: list[int], capacity: int) -> int:
    """Try every way, but for rows that are alike."""
    best = len(lengths)

    def place(rest: list[int], rooms: tuple[int, ...]) -> None:
        nonlocal best
        if len(rooms) >= best and rest:
            return
        if not rest:
            best = min(best, len(rooms))
            return
        for room in set(rooms):
            if room >= rest[0]:
                left = list(rooms)
                left.remove(room)
                place(rest[1:], (*left, room - rest[0]))
        place(rest[1:], (*rooms, capacity - rest[0]))

    place(sorted(lengths, reverse=True), ())
    return best


@given(LENGTHS, st.none() | st.integers(0, 9))
def test_every_sequence_once_in_few_rows(lengths: list[int], seed: int | None) -> None:
    packing = pack(lengths, max_length=12, seed=seed)
    assert sorted(number for row in packing.rows for number in row) == list(range(len(lengths)))
    assert all(0 < sum(lengths[n] for n in row) <= 12 for row in packing.rows)
    fewest = fewest_rows(lengths, 12)
    assert fewest <= len(packing.rows) <= 11 / 9 * fewest + 1
    slots = 12 * len(packing.rows)
    assert packing.fill == pytest.approx(sum(lengths) / slots if slots else 1.0)


@given(LENGTHS)
def test_each_goes_where_the_least_room_is_enough(lengths: list[int]) -> None:
    rooms: list[int] = []
    expected: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        fitting = [row for row, room in enumerate(rooms) if room >= lengths[number]]
        least = min((rooms[row] for row in fitting), default=None)
        if least is None:
            rooms.append(12)
            expected.append([])
            row = len(rooms) - 1
        else:  # of rows with the same room it may be any: the room is what counts
            row = rooms.index(least)
        rooms[row] -= lengths[number]
        expected[row].append(number)
    found = pack(lengths, max_length=12, seed=None).rows
    assert sorted(sum(lengths[n] for n in row) for row in found) == sorted(12 - r for r in rooms)


def test_plans_repeat_and_differ_with_the_seed() -> None:
    lengths = np.random.default_rng(0).integers(5, 129, 20_000)
    plans = [pack(lengths, max_length=512, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (list(plan.rows) for plan in plans)
    assert first == again != other
    assert min(plan.fill for plan in plans) > 0.98
    near = [abs(a - b) for row in first for a, b in pairwise(row)]
    assert np.mean(near) > 4000  # neighbours in the corpus are not neighbours in a row


def test_sequences_that_do_not_fit_are_refused() -> None:
    for lengths in ([3, 13], [3, 0]):
        with pytest.raises(ValueError, match="rows of 12"):
            pack(lengths, max_length=12, seed=None)
    nothing = pack([], max_length=12, seed=1)
    assert list(nothing.rows) == [] == list(nothing.batches(max_tokens=24, full=True))


@given(LENGTHS, st.integers(12, 60), st.booleans())
def test_batches_are_the_rows_cut_and_filled_up(
    lengths: list[int], max_tokens: int, full: bool
) -> None:
    packing, count = pack(lengths, max_length=12, seed=3), max_tokens // 12
    batches = packing.batches(max_tokens=max_tokens, full=full)
    rows = list(packing.rows)
    expected = [rows[begin : begin + count] for begin in range(0, len(rows), count)]
    if full and rows:
        expected[-1] += [()] * (count - len(expected[-1]))
    assert [list(batch) for batch in batches] == expected
    assert [list(batch) for batch in batches[::-1]] == expected[::-1]
    assert len(packing.batches(max_tokens=5)) == len(rows)  # a batch has a row at least


@given(st.lists(st.lists(st.integers(0, 99), max_size=4).map(tuple), max_size=6), st.data())
def test_rows_in_arrays_are_those_of_a_list(
    expected: list[tuple[int, ...]], data: st.DataObject
) -> None:
    rows = Rows.of(expected)
    assert list(rows) == expected and list(reversed(rows)) == expected[::-1]
    begin, end = (data.draw(st.integers(-8, 8)) for _ in range(2))
    assert list(rows[begin:end]) == expected[begin:end]
    assert list(rows[begin:end][1:]) == expected[begin:end][1:]
    order = data.draw(st.permutations(range(len(expected))))
    moved = rows.reordered(np.array(order, dtype=np.int64))
    assert list(moved) == [expected[number] for number in order]
    with pytest.raises(IndexError):
        rows[len(expected)]
    with pytest.raises(ValueError, match="steps of 2"):
        rows[::2]
    alone = Batches.alone(expected)
    assert [list(batch) for batch in alone] == [[(n,) for n in row] for row in expected]
    with pytest.raises(IndexError):
        alone[-len(expected) - 1]


@given(LENGTHS)
def test_the_layout_is_that_of_a_loop(lengths: list[int]) -> None:
    rows = [*pack(lengths, max_length=12, seed=0).rows, ()]
    found = layout(rows, np.array(lengths, dtype=np.int64), max_length=12)
    for number, row in enumerate(rows):
        slots = [
            (document, position, example)
            for document, example in enumerate(row)
            for position in range(lengths[example])
        ]
        slots += [(len(row), place, -1) for place in range(12 - len(slots))]
        assert list(zip(*(part[number].tolist() for part in found), strict=True)) == slots
