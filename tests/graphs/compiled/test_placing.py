from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphs.compiled import placing
from graphs.compiled.placing import copy_kept, fill_groups, kept_rows
from graphs.content import Grouped, first_of_equals, group, in_order

COUNT = 6
number = st.integers(0, COUNT - 1)
triples = st.lists(st.tuples(number, st.integers(0, 2), number), max_size=60)


def columns(rows: Sequence[tuple[int, int, int]]) -> NDArray[np.int32]:
    return np.array(rows, dtype=np.int32).reshape(-1, 3).T


@given(triples, st.integers(1, 70))
def test_rows_are_kept_once_however_few_are_sorted_at_once(rows: list, at_once: int) -> None:
    expected = [row not in rows[:place] for place, row in enumerate(rows)]
    kept = kept_rows(columns(rows), count=COUNT, at_once=at_once)
    assert kept.tolist() == expected
    assert first_of_equals(columns(rows)).tolist() == np.flatnonzero(expected).tolist()


@given(triples, st.integers(1, 70))
def test_groups_keep_the_order_of_the_source(rows: list, at_once: int) -> None:
    heads, relations, tails = columns(rows)
    filled = Grouped(
        np.full(COUNT + 1, -1, dtype=np.int64),
        np.full(len(rows), -1, dtype=np.int32),
        np.full(len(rows), -1, dtype=np.int32),
    )
    fill_groups(heads, relations, tails, to=filled, at_once=at_once)
    for grouped in (filled, group(heads, relations, tails, count=COUNT)):
        for entity in range(COUNT):
            part = slice(grouped.offsets[entity], grouped.offsets[entity + 1])
            found = list(
                zip(grouped.relations[part].tolist(), grouped.others[part].tolist(), strict=True)
            )
            assert found == [(r, t) for h, r, t in rows if h == entity]


@given(triples, st.lists(st.booleans(), min_size=60, max_size=60), st.integers(1, 7))
def test_rows_are_copied_in_pieces(rows: list, flags: list[bool], size: int) -> None:
    kept = np.array(flags[: len(rows)], dtype=np.bool_)
    target = np.full((3, int(kept.sum())), -1, dtype=np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "ROWS_AT_ONCE", size)
        copy_kept(columns(rows), kept, to=target)
    assert target.T.tolist() == [list(r) for r, keep in zip(rows, kept, strict=True) if keep]


@given(st.lists(number, max_size=30))
def test_numbers_in_order_of_first_appearance(numbers: list[int]) -> None:
    assert in_order(np.array(numbers, dtype=np.int32)).tolist() == list(dict.fromkeys(numbers))


def test_a_range_is_no_larger_than_asked_but_for_a_hub() -> None:
    ends = np.array([0, 1, 1, 1, 1, 2, 3, 4], dtype=np.int32)
    ranges = [(found.tolist(), first) for found, first in placing._ranges(ends, count=5, at_once=3)]
    assert ranges == [([0], 0), ([1, 2, 3, 4], 1), ([5, 6, 7], 2)]
