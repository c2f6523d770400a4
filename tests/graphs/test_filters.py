from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.content import first_of_equals
from graphs.errors import GraphError
from graphs.filters import FilterIndex
from graphs.splits import Splits

E, R = 5, 3
entity, relation = st.integers(0, E - 1), st.integers(0, R - 1)
triples = st.lists(st.tuples(entity, relation, entity), max_size=30)
near = st.integers(-2, E + 1)
queries = st.lists(st.tuples(near, near, near), max_size=12)


def columns(given_triples: list, dtype: type = np.int32) -> np.ndarray:
    return np.array(given_triples, dtype=dtype).reshape(-1, 3).T


def made(given_triples: list) -> FilterIndex:
    return FilterIndex(columns(given_triples), entities=E, relations=R)


@given(triples)
def test_look_ups_agree_with_a_dict_of_sets(known: list) -> None:
    index = made(known)
    heads, relations, tails = defaultdict(set), defaultdict(set), defaultdict(set)
    for h, r, t in known:
        heads[r, t].add(h)
        relations[h, t].add(r)
        tails[h, r].add(t)
    for a, b in itertools.product(range(-2, E + 2), repeat=2):
        assert index.heads(a, b).tolist() == sorted(heads[a, b])
        assert index.relations(a, b).tolist() == sorted(relations[a, b])
        assert index.tails(a, b).tolist() == sorted(tails[a, b])


@given(triples, queries)
def test_many_look_ups_are_the_single_ones(known: list, asked: list) -> None:
    index, rows = made(known), columns(asked, np.int64)
    single = {
        "head": lambda h, r, t: index.heads(r, t),
        "relation": lambda h, r, t: index.relations(h, t),
        "tail": lambda h, r, t: index.tails(h, r),
    }
    for missing, look_up in single.items():
        offsets, values = index.lookup_many(rows, missing=missing)
        expected = [look_up(*query).tolist() for query in asked]
        assert [each.tolist() for each in np.split(values, offsets[1:-1])][: len(asked)] == expected
        assert len(offsets) == len(asked) + 1 and offsets[-1] == len(values)
        assert index.count_many(rows, missing=missing).tolist() == list(map(len, expected))
        mask = index.mask(rows, missing=missing)
        assert mask.shape == (len(asked), R if missing == "relation" else E)
        assert [np.flatnonzero(each).tolist() for each in mask] == expected


@given(triples, queries)
def test_contains_is_membership_also_out_of_range(known: list, asked: list) -> None:
    index = made(known)
    asked = [*asked, *known]
    assert index.contains(columns(asked)).tolist() == [query in set(known) for query in asked]
    assert len(index) == len(set(known))
    assert list(map(tuple, index.rows.T.tolist())) == list(dict.fromkeys(known))


def test_every_triple_of_a_full_cube_is_found_and_none_beside_it() -> None:
    cube = list(itertools.product(range(E), range(R), range(E)))
    half = cube[::2]
    index = made(half[::-1])
    outside = itertools.product(range(-1, E + 1), range(-1, R + 1), range(-1, E + 1))
    asked = list(outside)
    found = index.contains(columns(asked))
    assert {each for each, yes in zip(asked, found, strict=True) if yes} == set(half)


def test_numbers_may_be_so_large_that_two_of_them_fill_a_key() -> None:
    top = 2**31 - 2
    rows = columns([(top, 1, 0), (0, 1, top), (top, 0, top)])
    index = FilterIndex(rows, entities=top + 1, relations=2)
    assert index.contains(rows).all()
    assert index.relations(top, top).tolist() == [0]
    assert index.relations(top, 0).tolist() == [1]
    assert not index.contains(columns([(top, 1, top), (top - 1, 1, 0)])).any()


def test_many_triples_are_indexed_and_asked_at_once() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, [[200_000], [50], [200_000]], size=(3, 300_000))
    index = FilterIndex(rows, entities=200_000, relations=50)
    assert index.contains(rows).all()
    other = rng.integers(0, [[200_000], [50], [200_000]], size=(3, 50_000))
    codes = (other[0] * 50 + other[1]) * 200_000 + other[2]
    expected = np.isin(codes, (rows[0] * 50 + rows[1]) * 200_000 + rows[2])
    assert (index.contains(other) == expected).all()
    offsets, values = index.lookup_many(rows[:, :1000], missing="tail")
    place = np.arange(1000)
    assert all((rows[2, i] == values[offsets[i] : offsets[i + 1]]).sum() == 1 for i in place)


def splits() -> Splits:
    return Splits.from_triples(
        [("a", "r", "b")],
        [("a", "r", "c", 1), ("a", "r", "a", -1)],
        [("a", "r", "d", 1), ("a", "r", "b", -1)],
    )


def test_the_index_of_splits_holds_what_is_true_and_nothing_made_up() -> None:
    names = splits().entities
    assert names == ("a", "b", "c", "d")
    full = FilterIndex.build(splits())
    assert [names[i] for i in full.tails(0, 0)] == ["b", "c", "d"]
    model = FilterIndex.build(splits(), parts=("dev", "train"))
    assert [names[i] for i in model.tails(0, 0)] == ["b", "c"]
    assert len(FilterIndex.build(splits(), parts=())) == 0
    assert repr(full) == "FilterIndex(3 triples, 4 entities, 1 relations)"


def test_what_is_handed_out_cannot_be_changed() -> None:
    index = made([(0, 0, 1)])
    for array in (index.rows, index.tails(0, 0)):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: made([(0, 0, E)]), "triple 0: tail is 5; it must be 0 to 4"),
        (lambda: made([(0, 0, 0), (0, -1, 0)]), "triple 1: relation is -1; it must be 0 to 2"),
        (lambda: FilterIndex(np.zeros((2, 3), int), entities=1, relations=1), "shape (2, 3)"),
        (lambda: made([]).contains(np.zeros((3, 1))), "rows are float64"),
        (lambda: made([]).contains(np.zeros(3, int)), "shape (3,)"),
        (lambda: made([]).mask(columns([]), missing="tails"), "did you mean 'tail'?"),
        (lambda: FilterIndex.build(splits(), parts=("valid",)), "no part 'valid'"),
        (lambda: FilterIndex.build(splits(), parts="train"), "give a list of train, dev, test"),
    ],
)
def test_mistakes_are_one_line(call: object, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        call()
    assert message in str(caught.value) and "\n" not in str(caught.value)


@given(st.lists(st.tuples(entity, relation), max_size=20))
def test_the_first_of_equal_columns_is_kept(pairs: list) -> None:
    rows = np.array(pairs, dtype=np.int8).reshape(-1, 2).T
    kept = first_of_equals(rows).tolist()
    assert kept == [i for i, pair in enumerate(pairs) if pair not in pairs[:i]]
