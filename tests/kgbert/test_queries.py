"""The order of queries: by relation, both sides in turns, and what that saves."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphs.filters import FilterIndex
from kgbert.groups import SIDES, Side
from kgbert.queries import Queries
from tests.kgbert.scoring import triples

COLUMNS = {"head": (1, 2), "tail": (0, 1)}


def plan(rows: NDArray[np.int32], *, sides: tuple[Side, ...] = SIDES) -> Queries:
    known = FilterIndex(rows.T, entities=40, relations=5)
    return Queries.plan(rows, sides=sides, known=known, entities=40)


def asked(queries: Queries) -> list[tuple[str, ...]]:
    """Return side and given parts of each query, from each of its rows."""
    found = []
    for number in range(len(queries)):
        rows = queries.rows_of(number, number + 1)
        names = {
            (SIDES[side], *triple[list(COLUMNS[SIDES[side]])].tolist())
            for side, triple in zip(queries.sides[rows], queries.triples[rows], strict=True)
        }
        assert len(names) == 1
        found.append(names.pop())
    return found


@settings(max_examples=25)
@given(
    st.integers(1, 90), st.integers(0, 1000), st.sampled_from([SIDES, ("head",), ("tail",)])
)  # fmt: skip
def test_relations_follow_each_other_and_sides_take_turns(
    count: int, seed: int, sides: tuple[Side, ...]
) -> None:
    rows = triples(count, entities=12, seed=seed)
    found = asked(plan(rows, sides=sides))
    expected = {(side, *row[list(COLUMNS[side])].tolist()) for side in sides for row in rows}
    assert len(found) == len(set(found)) and set(found) == expected
    relations = [int(name[1 if name[0] == "head" else 2]) for name in found]
    assert relations == sorted(relations)
    for relation in set(relations):
        kinds = [name[0] for name, r in zip(found, relations, strict=True) if r == relation]
        if len(sides) == 2:
            heads, tails = np.cumsum([[k == side for side in SIDES] for k in kinds], axis=0).T
            apart = np.abs(heads / heads[-1] - tails / tails[-1])
            assert apart.max() <= 0.5 / heads[-1] + 0.5 / tails[-1] + 1e-9


def test_the_order_does_not_depend_on_that_of_triples() -> None:
    rows = triples(60, entities=12)
    order = np.random.default_rng(0).permutation(60)
    assert asked(plan(rows)) == asked(plan(rows[order]))


def test_triples_that_both_sides_ask_for_fall_into_one_block() -> None:
    """Fewer different triples a block than with all queries for heads before those for tails."""
    rows = triples(80, entities=12)
    known = FilterIndex(rows.T, entities=40, relations=5)
    queries = plan(rows)
    sets = []
    for query in queries.read(0, len(queries), known=known, entities=40):
        scored = np.repeat(queries.triples[query.rows[:1]], len(query.candidates), axis=0)
        scored[:, query.column] = query.candidates
        sets.append({tuple(row) for row in scored.tolist()})
    apart = np.argsort(queries.sides[queries.members[queries.offsets[:-1]]], kind="stable")

    def inputs(order: list[int]) -> int:
        blocks = [order[start : start + 16] for start in range(0, len(order), 16)]
        return sum(len(set.union(*(sets[i] for i in block))) for block in blocks)

    assert inputs([*range(len(sets))]) < inputs(apart.tolist())
    assert inputs([*range(len(sets))]) < sum(map(len, sets))
