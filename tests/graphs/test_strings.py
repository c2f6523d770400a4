from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from graphs.interning import fill_slots, heap_shapes
from graphs.strings import (
    Chosen,
    Heap,
    HeapStrings,
    MemoryStrings,
    Strings,
    slot_count,
    slot_shift,
)

texts = st.text(st.sampled_from("ab 北京é😀\t"), max_size=4) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=6
)


def heap_of(strings: Sequence[str]) -> HeapStrings:
    """Lay strings out the plain way."""
    data = [text.encode() for text in strings]
    shapes = heap_shapes(len(data), sum(map(len, data)))
    arrays = Heap(*(np.zeros(*shapes[part]) for part in Heap._fields))
    arrays.heap[:] = np.frombuffer(b"".join(data), dtype=np.uint8)
    arrays.offsets[1:] = np.cumsum([len(text) for text in data])
    fill_slots(arrays, np.array(list(map(xxhash.xxh3_64_intdigest, data)), dtype=np.uint64))
    return HeapStrings(arrays)


@given(st.lists(texts, unique=True, max_size=40), texts)
def test_tables_agree_with_a_list(strings: list[str], other: str) -> None:
    for table in (MemoryStrings.of(strings), heap_of(strings)):
        assert isinstance(table, Strings)
        assert list(table) == strings == table and table == tuple(strings)
        assert len(table) == len(strings)
        for number, text in enumerate(strings):
            assert table[number] == text and table[number - len(strings)] == text
            assert table.number(text) == number and text in table
        assert table.number(other) == (strings.index(other) if other in strings else -1)
        assert (other in table) == (other in strings)
        assert list(table[1:5]) == strings[1:5] and list(table[::-2]) == strings[::-2]
        assert table.take(reversed(range(len(strings)))) == strings[::-1]
        for wrong in (len(strings), -len(strings) - 1):
            with pytest.raises(IndexError):
                table[wrong]


@given(st.lists(texts, unique=True, min_size=1, max_size=20), st.data())
def test_a_choice_is_a_list_of_some(strings: list[str], data: st.DataObject) -> None:
    picked = data.draw(st.lists(st.integers(0, len(strings) - 1), max_size=20))
    chosen = Chosen(heap_of(strings), np.array(picked, dtype=np.int32))
    expected = [strings[number] for number in picked]
    assert list(chosen) == expected == chosen and len(chosen) == len(expected)
    assert list(chosen[2:7]) == expected[2:7] and list(chosen[::-1]) == expected[::-1]
    assert [chosen[place] for place in range(len(expected))] == expected
    assert chosen != [*expected, "x"]


@pytest.mark.parametrize("table", [MemoryStrings.of("ab"), heap_of("ab")])
def test_what_is_not_equal(table: Strings) -> None:
    for other in (["a", "c"], ["a"], ["a", 1], [0, 1], "ab", {"a", "b"}, None):
        assert table != other
        assert Chosen(table, np.array([0, 1], dtype=np.int32)) != other
    assert 0 not in table and None not in table


def test_a_lone_surrogate_is_in_no_table() -> None:
    for table in (MemoryStrings.of(["a"]), heap_of(["a"])):
        assert table.number("\ud800") == -1 and "\udfff" not in table


def test_strings_that_share_a_slot_are_told_apart() -> None:
    strings = [f"name {number}" for number in range(5_000)]
    table = heap_of(strings)
    shift = slot_shift(slot_count(len(strings)))
    slots = [xxhash.xxh3_64_intdigest(text.encode()) >> shift for text in strings]
    assert len(set(slots)) < len(strings)  # or else nothing would be shown
    assert [table.number(text) for text in strings] == list(range(len(strings)))
    assert not any(f"name {number}" in table for number in range(5_000, 9_000))


@given(st.integers(0, 1 << 33))
def test_slots_are_as_many_as_strings_or_up_to_twice(strings: int) -> None:
    slots = slot_count(strings)
    assert slots.bit_count() == 1 and max(2, strings) <= slots < max(3, 2 * strings)
    assert ((1 << 64) - 1) >> slot_shift(slots) == slots - 1


def test_iteration_crosses_chunks() -> None:
    strings = [str(number) for number in range(40_000)]
    table = heap_of(strings)
    assert list(table) == strings
    everything = np.arange(40_000, dtype=np.int32)
    assert list(Chosen(table, everything)) == strings


def test_repr_shows_a_few() -> None:
    assert repr(MemoryStrings.of("abcd")) == "<4 strings: 'a', 'b', 'c', …>"
    assert repr(heap_of([])) == "<0 strings: >"
    assert repr(Chosen(heap_of("a"), np.zeros(1, np.int32))) == "<1 of <1 strings: 'a'>>"
