from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.interning import DiskInterner, DiskNumbers, MemoryInterner, heap_shapes
from graphs.strings import Heap, HeapStrings

texts = st.text(st.sampled_from("ab 北😀"), max_size=3)
chunks = st.lists(st.lists(texts, max_size=12), max_size=6)


def laid_out(numbers: DiskNumbers) -> HeapStrings:
    shapes = heap_shapes(numbers.count, numbers.size)
    arrays = Heap(*(np.zeros(*shapes[part]) for part in Heap._fields))
    numbers.lay_out(arrays)
    return HeapStrings(arrays)


@given(chunks, st.integers(1, 7))
def test_disk_and_memory_number_alike(chunks: list[list[str]], partitions: int) -> None:
    everything = [text for chunk in chunks for text in chunk]
    distinct = list(dict.fromkeys(everything))
    expected = [distinct.index(text) for text in everything]
    memory = MemoryInterner()
    serials = [number for chunk in chunks for number in memory.add(chunk).tolist()]
    strings, ids = memory.finish()
    assert list(strings) == distinct
    assert [ids[serial] for serial in serials] == expected
    with TemporaryDirectory() as folder:
        disk = DiskInterner(Path(folder), partitions=partitions)
        added = [disk.add(chunk) for chunk in chunks]
        numbers = disk.finish()
        table = laid_out(numbers)
    assert list(table) == distinct and numbers.count == len(distinct)
    assert numbers.size == sum(len(text.encode()) for text in distinct)
    assert [int(numbers.ids[serial]) for serials in added for serial in serials] == expected
    assert [table.number(text) for text in distinct] == list(range(len(distinct)))


def test_equal_strings_of_a_chunk_have_one_serial(tmp_path: Path) -> None:
    for interner in (MemoryInterner(), DiskInterner(tmp_path)):
        first, second, third = interner.add(["a", "b", "a"]).tolist()
        assert first == third != second


def test_an_empty_string_alone_in_its_file(tmp_path: Path) -> None:
    disk = DiskInterner(tmp_path, partitions=1)
    disk.add([""])
    disk.add(["", ""])
    assert list(laid_out(disk.finish())) == [""]


def test_nothing_at_all(tmp_path: Path) -> None:
    disk = DiskInterner(tmp_path)
    assert disk.add([]).tolist() == []
    numbers = disk.finish()
    assert (numbers.count, numbers.size, list(laid_out(numbers))) == (0, 0, [])


def test_more_strings_than_numbers_are_refused(tmp_path: Path) -> None:
    disk = DiskInterner(tmp_path)
    disk._serials = np.iinfo(np.int32).max - 1
    with pytest.raises(OverflowError, match="build the graph in parts"):
        disk.add(["a", "b"])
