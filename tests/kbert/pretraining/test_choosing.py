"""Choices of masked tokens, against loops over single rows that draw the same words."""

from __future__ import annotations

import math
from itertools import combinations, groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.pretraining.choosing import choose_pieces, choose_spans, choose_units
from kbert.pretraining.lengths import SpanLengths
from kbert.pretraining.streams import below, words

Row = list[int]
# runs of (special?, tokens): neighbouring units have different groups, special ones -1
ROWS = st.lists(
    st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=9).map(
        lambda runs: [-1 if out else n for n, (out, size) in enumerate(runs) for _ in range(size)]
    ),
    min_size=1,
    max_size=4,
)


def batch(rows: list[Row]) -> np.ndarray:
    length = max(1, *map(len, rows))
    return np.array([[*row, *[-2] * (length - len(row))] for row in rows], dtype=np.int32)


def word(key: int, counter: int) -> np.ndarray:
    return words(np.array([key], dtype=np.uint64), np.array([counter]))


def units_of(row: Row) -> list[list[int]]:
    """The columns of each unit that may be masked."""
    runs = [[c for c, _ in run] for _, run in groupby(enumerate(row), key=lambda each: each[1])]
    return [run for run in runs if row[run[0]] >= 0]


def units_by_hand(row: Row, count: int, key: int, *, cut: bool) -> dict[int, int]:
    order = sorted(units_of(row), key=lambda unit: (int(word(key, unit[0])[0]) >> 16, unit[0]))
    chosen: dict[int, int] = {}
    passed = []
    for unit in order:
        if len(unit) <= count - len(chosen):
            chosen |= dict.fromkeys(unit, unit[0])
        else:
            passed.append(unit)
    if cut and len(chosen) < count:
        chosen |= dict.fromkeys(passed[0][: count - len(chosen)], passed[0][0])
    return chosen


def spans_by_hand(row: Row, count: int, key: int, law: SpanLengths) -> dict[int, int]:
    units, chosen, turn = units_of(row), dict[int, int](), 0
    while len(chosen) < count:
        drawn = int(law.draw(word(key, 2 * turn))[0])
        for gap in (1, 0):  # spans touch only where nothing else is left
            closed = {c + d for c in chosen for d in range(-gap, gap + 1)}
            closed |= {c for unit in units for c in unit if closed & set(unit)}
            for length in range(drawn, 0, -1):
                places = [
                    (units[i][0], units[i + length - 1][-1])
                    for i in range(len(units) - length + 1)
                    if all(units[j][0] == units[j - 1][-1] + 1 for j in range(i + 1, i + length))
                    and closed.isdisjoint(c for unit in units[i : i + length] for c in unit)
                ]
                if places:
                    break
            if places:
                break
        first, last = places[int(below(word(key, 2 * turn + 1), len(places))[0])]
        end = min(last + 1, first + count - len(chosen))
        chosen |= dict.fromkeys(range(first, end), first)
        turn += 1
    return chosen


def by_row(starts: np.ndarray) -> list[dict[int, int]]:
    return [{c: s for c, s in enumerate(row) if s >= 0} for row in starts.tolist()]


@given(ROWS, st.data())
def test_choices_are_those_of_a_loop(rows: list[Row], data: st.DataObject) -> None:
    groups = batch(rows)
    most = [int(np.count_nonzero(row >= 0)) for row in groups]
    counts = [data.draw(st.integers(0, candidates)) for candidates in most]
    key = [data.draw(st.integers(0, 2**64 - 1)) for _ in rows]
    k, keys = np.array(counts, dtype=np.int32), np.array(key, dtype=np.uint64)
    each = list(zip(rows, counts, key, strict=True))
    for cut in (True, False):
        expected = [units_by_hand(*one, cut=cut) for one in each]
        assert by_row(choose_units(groups, k, keys, cut=cut)) == expected
    singles = [[c if group >= 0 else group for c, group in enumerate(row)] for row in rows]
    expected = [
        units_by_hand(row, c, word_, cut=True)
        for row, c, word_ in zip(singles, k, key, strict=True)
    ]
    assert by_row(choose_pieces(groups, k, keys)) == expected
    assert by_row(choose_units(batch(singles), k, keys, cut=True)) == expected
    for law in (SpanLengths.geometric(), SpanLengths.inverse()):
        expected = [spans_by_hand(*one, law) for one in each]
        assert by_row(choose_spans(groups, k, keys, lengths=law)) == expected
        assert [len(row) for row in expected] == counts


@given(ROWS, st.integers(0, 2**64 - 1))
def test_whole_units_but_for_one_at_most(rows: list[Row], key: int) -> None:
    groups = batch(rows)
    candidates = np.count_nonzero(groups >= 0, axis=1)
    counts = ((candidates + 1) // 2).astype(np.int32)
    keys = np.arange(len(rows), dtype=np.uint64) + np.uint64(key // 2)
    for chosen, row, count in zip(
        by_row(choose_units(groups, counts, keys, cut=True)), rows, counts, strict=True
    ):
        assert len(chosen) == count
        shares = [len(chosen.keys() & set(unit)) for unit in units_of(row)]
        cut = [s for s, u in zip(shares, units_of(row), strict=True) if 0 < s < len(u)]
        assert len(cut) <= 1


def test_every_set_of_pieces_has_the_same_chance() -> None:
    count = 20_000
    groups = np.tile(np.array([-1, 0, 1, 2, 3, 4, -1], dtype=np.int32), (count, 1))
    keys = words(np.array([1], dtype=np.uint64), np.arange(count))
    chosen = choose_pieces(groups, np.full(count, 2, dtype=np.int32), keys) >= 0
    sets, seen = np.unique(chosen, axis=0, return_counts=True)
    assert {tuple(np.flatnonzero(one)) for one in sets} == set(combinations(range(1, 6), 2))
    assert np.abs(seen / count - 0.1).max() < 5 * math.sqrt(0.09 / count)


@pytest.mark.parametrize("length", [128, 512])
def test_spans_keep_their_mean_and_do_not_touch(length: int) -> None:
    rows, law = 400, SpanLengths.geometric()
    groups = np.tile(np.arange(length, dtype=np.int32), (rows, 1))
    groups[:, [0, length // 2, -1]] = -1
    count = round(0.15 * (length - 3))
    keys = words(np.array([2], dtype=np.uint64), np.arange(rows))
    starts = choose_spans(groups, np.full(rows, count, dtype=np.int32), keys, lengths=law)
    assert (np.count_nonzero(starts >= 0, axis=1) == count).all()
    assert (starts[groups < 0] == -1).all()
    touching = (starts[:, 1:] != starts[:, :-1]) & (starts[:, 1:] >= 0) & (starts[:, :-1] >= 0)
    assert not touching.any()
    turns = law.draw(words(keys[:, None], 2 * np.arange(count)))
    assert turns.mean() == pytest.approx(3.80, abs=5 * turns.std() / math.sqrt(turns.size))
    for row, drawn in zip(starts, turns, strict=True):  # each as long as drawn, the last one cut
        ends = np.minimum(np.cumsum(drawn), count)
        sizes = np.diff(ends[ends < count], prepend=0).tolist()
        sizes.append(count - sum(sizes))
        assert sorted(np.unique(row[row >= 0], return_counts=True)[1]) == sorted(sizes)
