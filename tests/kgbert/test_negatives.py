"""Negatives against sets written out: what may be drawn, how often, on which side, and when."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.filters import FilterIndex
from kbert.errors import DataError, SettingsError
from kgbert.negatives import Method, NegativeSampler, Sides

ENTITIES, RELATIONS = 6, 3
TRIPLE = st.tuples(
    st.integers(0, ENTITIES - 1), st.integers(0, RELATIONS - 1), st.integers(0, ENTITIES - 1)
)
TRIPLES = st.lists(TRIPLE, min_size=1, max_size=25)
Triple = tuple[int, int, int]


def index(triples: list[Triple]) -> FilterIndex:
    rows = np.array(triples, dtype=np.int32).reshape(-1, 3).T
    return FilterIndex(rows, entities=ENTITIES, relations=RELATIONS)


def sampler(triples: list[Triple], **settings: Any) -> NegativeSampler:
    given = {"entities": ENTITIES, "relations": RELATIONS, "per_positive": 4, **settings}
    return NegativeSampler(np.array(triples, dtype=np.int32), **given)


def replaced(triple: Triple, side: str, entity: int) -> Triple:
    return (entity, *triple[1:]) if side == "head" else (*triple[:2], entity)


def allowed(
    triple: Triple, side: str, *, triples: list[Triple], known: set[Triple], method: Method
) -> set[Triple]:
    """Write down what may be drawn of one positive on one side."""
    column = 0 if side == "head" else 2
    of_type = {other[column] for other in triples if other[1] == triple[1]}

    def free(entities: Any) -> set[Triple]:
        made = {replaced(triple, side, entity) for entity in entities}
        return made - known - {triple}

    typed = free(of_type) if method == "typed" else set()
    return typed or free(range(ENTITIES))


@given(TRIPLES, st.lists(TRIPLE, max_size=40), st.sampled_from(get_args(Method)), st.booleans())
def test_nothing_is_drawn_but_what_may_be(
    triples: list[Triple], further: list[Triple], method: Method, filtered: bool
) -> None:
    known = index(triples + further) if filtered else None
    truths = set(triples + further) if filtered else set()
    settings = {"method": method, "known": known, "per_positive": 3}
    options = [
        {
            side: allowed(triple, side, triples=triples, known=truths, method=method)
            for side in ("head", "tail")
        }
        for triple in triples
    ]
    if any(not each["head"] and not each["tail"] for each in options):
        with pytest.raises(DataError, match="have no negative"):
            sampler(triples, **settings)
        return
    made = sampler(triples, **settings)
    drawn = np.concatenate([made.sample(epoch, np.arange(len(triples))) for epoch in range(40)], 1)
    for row, each in zip(drawn.tolist(), options, strict=True):
        assert set(map(tuple, row)) <= each["head"] | each["tail"]


@pytest.mark.parametrize("method", ["uniform", "typed"])
@pytest.mark.parametrize("side", ["head", "tail"])
def test_every_entity_that_may_be_drawn_is_equally_likely(method: Method, side: Sides) -> None:
    triples = [(0, 0, 1), (0, 0, 2), (3, 0, 1), (4, 1, 5), (5, 0, 0), (2, 0, 5)]
    truths = set(triples) | {(0, 0, 4)}
    made = sampler(triples, method=method, sides=side, known=index(list(truths)), per_positive=30)
    drawn = np.concatenate([made.sample(epoch, np.arange(6)) for epoch in range(80)], axis=1)
    for row, triple in zip(drawn.tolist(), triples, strict=True):
        wanted = allowed(triple, side, triples=triples, known=truths, method=method)
        counts = Counter(map(tuple, row))
        assert set(counts) == wanted
        expected = len(row) / len(wanted)
        chi_square = sum((counts[each] - expected) ** 2 / expected for each in wanted)
        assert chi_square < 20.5  # at most 5 degrees of freedom, p = 0.001


def sides_of(made: Any, triples: list[Triple]) -> list[list[str]]:
    positives = np.array(triples)[:, None]
    changed = made != positives
    assert (changed.sum(-1) == 1).all() and not changed[..., 1].any()
    return [["head" if head else "tail" for head in row] for row in changed[..., 0].tolist()]


def test_sides_are_those_asked_for() -> None:
    triples = [(h, r, t) for h in range(3) for r in range(3) for t in range(3, 6)]
    every = np.arange(len(triples))
    firsts: dict[str, Counter[str]] = {}
    for side in get_args(Sides):
        made = sampler(triples, sides=side)
        found = [
            each for epoch in range(20) for each in sides_of(made.sample(epoch, every), triples)
        ]
        firsts[side] = Counter(each[0] for each in found)
        kinds = {len(set(each)) for each in found}
        if side == "both":
            assert all(sorted(each) == ["head", "head", "tail", "tail"] for each in found)
        else:
            assert kinds == {1}
    assert firsts["head"].keys() == {"head"} and firsts["tail"].keys() == {"tail"}
    for side in ("both", "one"):  # 540 flips of a coin: four standard deviations are 46
        assert abs(firsts[side]["head"] - 270) < 47


@pytest.mark.parametrize("sides", ["both", "one"])
def test_bernoulli_replaces_the_head_as_often_as_there_are_tails_per_head(sides: Sides) -> None:
    # Relation 0: head 0 has tails 1 to 4, so tph = 4 and hpt = 1. Relation 1 the other way round.
    triples = [(0, 0, t) for t in range(1, 5)] + [(h, 1, 0) for h in range(1, 5)]
    triples += triples[:3]  # what stands there twice counts once
    made = sampler(triples, method="bernoulli", sides=sides, known=None)
    found = [sides_of(made.sample(epoch, np.arange(8)), triples[:8]) for epoch in range(200)]
    for relation, wanted in ((slice(4), 0.8), (slice(4, 8), 0.2)):
        rows = [row for epoch in found for row in epoch[relation]]
        share = np.mean([each == "head" for row in rows for each in row])
        assert abs(share - wanted) < 0.06
        assert {len(set(row)) for row in rows} == ({1} if sides == "one" else {1, 2})


@given(TRIPLES, st.integers(-3, 3), st.integers(0, 3), st.data())
def test_a_draw_depends_on_seed_epoch_and_index_alone(
    triples: list[Triple], seed: int, epoch: int, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(triples) - 1), max_size=8))
    together = sampler(triples, seed=seed).sample(epoch, np.arange(len(triples)))
    again = sampler(triples, seed=seed)
    again.sample(epoch + 1, np.arange(len(triples)))
    assert again.sample(epoch, np.array(chosen, dtype=int)).tolist() == together[chosen].tolist()


def test_epochs_and_seeds_differ() -> None:
    triples = [(h, r, t) for h in range(3) for r in range(3) for t in range(3, 6)]
    every = np.arange(len(triples))
    made = [sampler(triples, seed=s).sample(epoch, every) for s in (0, 1) for epoch in (0, 1)]
    for number, one in enumerate(made):
        for other in made[number + 1 :]:
            assert (one != other).any(-1).mean() > 0.5
    assert made[0].dtype == np.int32 and made[0].shape == (27, 4, 3)


def test_typed_draws_from_all_where_its_type_has_nothing_left() -> None:
    triples = [(0, 0, 5), (1, 0, 5), (2, 1, 3), (2, 1, 4)]
    made = sampler(triples, method="typed", sides="tail", known=index(triples))
    assert made.untyped == {"head": 4, "tail": 4}
    assert sampler(triples, method="typed", known=None).untyped == {"head": 2, "tail": 2}
    drawn = np.concatenate([made.sample(epoch, np.arange(2)) for epoch in range(30)], axis=1)
    assert set(drawn[..., 2].reshape(-1).tolist()) == {0, 1, 2, 3, 4}


def test_where_one_side_has_nothing_the_other_is_taken() -> None:
    full = [(0, 0, t) for t in range(ENTITIES)]
    made = sampler(full, known=index(full)).sample(0, np.arange(ENTITIES))
    assert (made[..., 0] != 0).all()
    with pytest.raises(DataError, match=r"6 of 6 triples .* is the tail of triple 0 \(0, 0, 0\)"):
        sampler(full, sides="tail", known=index(full))


def test_nothing_to_draw_is_refused() -> None:
    everything = [(h, 0, t) for h in range(2) for t in range(2)]
    rows = np.array(everything, dtype=np.int32)
    known = FilterIndex(rows.T, entities=2, relations=1)
    sizes = {"entities": 2, "relations": 1, "per_positive": 1}
    with pytest.raises(DataError, match=r"4 of 4 triples .* head or tail .* fewer triples"):
        NegativeSampler(rows, known=known, **sizes)
    alone = np.zeros((1, 3), dtype=np.int32)
    with pytest.raises(DataError, match="too few entities"):
        NegativeSampler(alone, entities=1, relations=1, per_positive=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "bernouli"}, "did you mean 'bernoulli'"),
        ({"sides": "left"}, "known are both, one, head, tail"),
        ({"per_positive": 0}, "at least 1"),
        ({"method": "bernoulli", "sides": "head"}, "draws the side"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        sampler([(0, 0, 1)], **settings)


def test_no_positives_and_no_indices() -> None:
    none = NegativeSampler(
        np.empty((0, 3), dtype=np.int32), entities=3, relations=1, per_positive=2, method="typed"
    )
    assert len(none) == 0
    assert none.sample(0, np.empty(0, dtype=int)).shape == (0, 2, 3)
    assert sampler([(0, 0, 1)]).sample(0, np.empty(0, dtype=int)).shape == (0, 4, 3)
