"""Truncation against the loops that it is the closed form of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kbert.inject import share
from kgbert.truncation import truncate, truncate_original

LENGTH = st.integers(0, 40)
TRIPLE = st.tuples(LENGTH, LENGTH, LENGTH)
ROOM = st.integers(0, 60)


def popped(lengths: tuple[int, ...], *, room: int) -> tuple[int, ...]:
    """Take pieces one at a time from the last of the longest parts."""
    left = list(lengths)
    while sum(left) > room:
        last = max(part for part, length in enumerate(left) if length == max(left))
        left[last] -= 1
    return tuple(left)


def popped_as_the_original(lengths: tuple[int, int, int], *, room: int) -> tuple[int, ...] | None:
    """Pop tokens as the original does; None where its pop from an empty list is an error."""
    a, b, c = ([0] * length for length in lengths)
    while len(a) + len(b) + len(c) > room:
        if len(a) > len(b) and len(a) > len(c):
            longest = a
        elif len(b) > len(a) and len(b) > len(c):
            longest = b
        else:
            longest = c
        if not longest:
            return None
        longest.pop()
    return len(a), len(b), len(c)


def cut(lengths: tuple[int, ...], *, room: int) -> tuple[int, ...]:
    return tuple(truncate(np.array(lengths, dtype=np.int32), room=room).tolist())


def cut_as_the_original(lengths: tuple[int, ...], *, room: int) -> tuple[int, ...]:
    return tuple(truncate_original(np.array(lengths, dtype=np.int32), room=room).tolist())


@given(TRIPLE, ROOM)
def test_pieces_are_popped_from_the_last_of_the_longest(
    lengths: tuple[int, int, int], room: int
) -> None:
    assert cut(lengths, room=room) == popped(lengths, room=room)


@given(st.tuples(LENGTH, LENGTH), ROOM)
def test_pairs_are_cut_as_bert_does(lengths: tuple[int, int], room: int) -> None:
    assert cut(lengths, room=room) == popped(lengths, room=room) == share(*lengths, room=room)


def test_every_small_case() -> None:
    for room in range(12):
        for lengths in np.ndindex(8, 8, 8):
            assert cut(lengths, room=room) == popped(lengths, room=room)
            expected = popped_as_the_original(lengths, room=room) or popped(lengths, room=room)
            assert cut_as_the_original(lengths, room=room) == expected, (lengths, room)


@given(TRIPLE, ROOM)
def test_the_original_rule(lengths: tuple[int, int, int], room: int) -> None:
    expected = popped_as_the_original(lengths, room=room)
    if expected is None:
        expected = popped(lengths, room=room)
    assert cut_as_the_original(lengths, room=room) == expected


@given(TRIPLE, ROOM)
def test_what_is_kept(lengths: tuple[int, int, int], room: int) -> None:
    kept = cut(lengths, room=room)
    assert sum(kept) == min(sum(lengths), room)
    assert all(0 <= less <= length for less, length in zip(kept, lengths, strict=True))
    if room >= 3:
        assert all(kept[part] > 0 for part in range(3) if lengths[part] > 0)


@given(TRIPLE, ROOM)
def test_more_room_is_never_less_of_a_part(lengths: tuple[int, int, int], room: int) -> None:
    narrow, wide = cut(lengths, room=room), cut(lengths, room=room + 1)
    assert all(less <= more for less, more in zip(narrow, wide, strict=True))


@given(TRIPLE, ROOM)
def test_a_text_cut_to_the_room_beforehand_changes_nothing(
    lengths: tuple[int, int, int], room: int
) -> None:
    capped = tuple(min(length, room) for length in lengths)
    assert cut(capped, room=room) == cut(lengths, room=room)
    assert cut_as_the_original(capped, room=room) == cut_as_the_original(lengths, room=room)


@given(st.lists(TRIPLE, min_size=1, max_size=20), ROOM)
def test_rows_do_not_matter_to_each_other_and_torch_agrees(
    rows: list[tuple[int, int, int]], room: int
) -> None:
    array = np.array(rows)
    for rule in (truncate, truncate_original):
        together = rule(array, room=room)
        alone = [rule(row, room=room).tolist() for row in array]
        assert together.tolist() == alone
        assert rule(torch.from_numpy(array), room=room, xp=torch).tolist() == alone


@pytest.mark.parametrize(
    ("lengths", "room", "original"),
    [
        ((200, 9, 200), 146, (69, 9, 68)),
        ((3, 2, 3), 10, (3, 2, 3)),
        ((10, 10, 5), 22, (10, 10, 2)),  # a tie of the two others is cut at the short tail
        ((10, 10, 5), 20, (10, 10, 0)),
    ],
)
def test_golden_cases_of_the_original(
    lengths: tuple[int, ...], room: int, original: tuple[int, ...]
) -> None:
    assert cut_as_the_original(lengths, room=room) == original


def test_where_the_original_crashes_ours_decides() -> None:
    assert popped_as_the_original((10, 10, 5), room=19) is None
    assert cut_as_the_original((10, 10, 5), room=19) == cut((10, 10, 5), room=19) == (7, 7, 5)
    assert cut((200, 9, 200), room=146) == (69, 9, 68)


def test_a_negative_room_is_refused() -> None:
    for rule in (truncate, truncate_original):
        with pytest.raises(ValueError, match="room is -1"):
            rule(np.array([1, 2, 3]), room=-1)
