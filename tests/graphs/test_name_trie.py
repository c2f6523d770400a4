from __future__ import annotations

from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import MentionIndex
from graphs.name_trie import KEY_WIDTHS, PADDING, Reach

NAMES = st.lists(st.text("ab果苹", min_size=1, max_size=9), max_size=20)


def codes_of(text: str) -> np.ndarray:
    return np.frombuffer((text + "\0" * PADDING).encode("utf-32-le"), dtype="<u4")


@given(names=NAMES, text=st.text("ab果苹", max_size=30), many=st.booleans())
def test_a_bound_is_never_too_low(names: list[str], text: str, many: bool) -> None:
    with mock.patch("graphs.name_trie._MANY", -1 if many else 1 << 20):
        reach = Reach.sized(len(names))
        reach.enter(names, count=len(names))
    bounds = reach.look_up(codes_of(text))
    assert len(bounds) == len(text)
    for start, bound in enumerate(bounds.tolist()):
        assert bound >= max((len(n) for n in names if text.startswith(n, start)), default=0)


@settings(max_examples=200)
@given(names=NAMES, text=st.text("ab果苹 ", max_size=30))
def test_more_characters_in_the_keys_change_nothing(names: list[str], text: str) -> None:
    few = MentionIndex(names, min_length=1).find(text)
    with mock.patch("graphs.name_trie._MANY", -1):
        many = MentionIndex(names, min_length=1)
    assert many.find(text) == few


def test_longer_keys_are_used_where_names_are_many_and_say_more() -> None:
    names = ["abcdefg", "abcd", "x"]
    with mock.patch("graphs.name_trie._MANY", 2):
        long = Reach.sized(3)
        long.enter(names, count=3)
    short = Reach.sized(3)
    short.enter(names, count=3)
    assert (long.widths, short.widths) == ((1, 3, 5), (1, 3)) and max(KEY_WIDTHS) == PADDING + 1
    codes = codes_of("abcxxxx")
    assert (long.look_up(codes)[0], short.look_up(codes)[0]) == (4, 7)
