from __future__ import annotations

import pickle
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import Fact, GraphError, TripleStore, selection

STORE = TripleStore.from_triples(
    [
        ("北京", "类别", "城市"),
        ("北京", "别名", "燕京"),
        ("北京", "类别", "首都"),
        ("上海", "类别", "城市"),
        ("上海", "别名", "沪"),
        ("北京", "面积", "16410"),
    ],
    name="cities",
)
NAMES = ("first", "rare", "central", "similar")
part = st.sampled_from("abcde")
stores = st.lists(st.tuples(part, part, part), max_size=30).map(TripleStore.from_triples)
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
terms = st.sampled_from(["_:x", *(f"http://x.org/{name}" for name in ("a", "bC", "d"))])
literals = st.sampled_from(['"a"@en', '"ab"@de', '"1"'])
relations = st.sampled_from([LABEL, "http://x.org/r", "http://x.org/sT"])
named_stores = st.lists(st.tuples(terms, relations, terms | literals), max_size=20).map(
    lambda triples: TripleStore.from_triples(
        triples, names={"http://x.org/d": ["dee"]}, languages=["en"]
    )
)


def tails(policy: selection.Policy, entity: str = "北京") -> list[str]:
    return [fact.tail for fact in policy.facts(entity)]


def test_first_is_the_order_of_the_source() -> None:
    assert tails(selection.First(STORE)) == ["城市", "燕京", "首都", "16410"]


def test_rare_prefers_the_rarest_relation_then_the_rarest_tail() -> None:
    assert tails(selection.Rare(STORE)) == ["16410", "燕京", "首都", "城市"]


@given(stores)
def test_rare_keeps_source_order_among_equals(store: TripleStore) -> None:
    triples = list(store)
    for head in store.heads:
        keys = [
            (
                sum(t.relation == fact.relation for t in triples),
                sum(t.tail == fact.tail for t in triples),
                triples.index((head, *fact)),
            )
            for fact in selection.Rare(store).facts(head)
        ]
        assert keys == sorted(keys)
        assert len(keys) == len(store.facts(head))


def test_by_relation_keeps_the_inner_order_and_deny_wins() -> None:
    rare = selection.Rare(STORE)
    allow, deny = ["类别", "面积"], ["面积"]
    assert tails(selection.ByRelation(rare, store=STORE)) == tails(rare)
    assert tails(selection.ByRelation(rare, store=STORE, allow=allow)) == ["16410", "首都", "城市"]
    assert tails(selection.ByRelation(rare, store=STORE, deny=deny)) == ["燕京", "首都", "城市"]
    both = selection.ByRelation(rare, store=STORE, allow=allow, deny=deny)
    assert tails(both) == ["首都", "城市"]
    assert tails(selection.ByRelation(both, store=STORE, deny=["类别"])) == []


@given(stores)
def test_central_prefers_tails_of_high_degree_and_keeps_source_order_among_equals(
    store: TripleStore,
) -> None:
    triples = list(store)

    def degree(entity: str) -> int:
        return sum((t.head == entity) + (t.tail == entity) for t in triples)

    for head in store.heads:
        facts = [Fact(t.relation, t.tail) for t in triples if t.head == head]
        pairs = [(-degree(fact.tail), place, fact) for place, fact in enumerate(facts)]
        expected = [fact for _, _, fact in sorted(pairs)]
        assert selection.Central(store).facts(head) == expected


def test_central_by_hand() -> None:
    store = TripleStore.from_triples(
        [("甲", relation, tail) for relation, tail in (("r", "叶"), ("r", "树"), ("s", "枝"))]
        + [("树", "r", "枝"), ("乙", "r", "枝")]
    )
    assert tails(selection.Central(store), "甲") == ["枝", "树", "叶"]
    with pytest.raises(GraphError, match="limit is -1; it must not be negative"):
        selection.Central(store).facts("甲", limit=-1)


@given(stores, st.integers(1, 3), st.sampled_from(NAMES[:3]))
def test_per_relation_keeps_the_first_of_each_relation(
    store: TripleStore, most: int, name: str
) -> None:
    inner = selection.make(name, store)
    policy = selection.make(name, store, max_per_relation=most)
    for entity in store.entities:
        expected: list[Fact] = []
        for fact in inner.facts(entity):
            if sum(fact.relation == kept.relation for kept in expected) < most:
                expected.append(fact)
        assert policy.facts(entity) == expected
        assert policy.facts(entity, limit=1) == expected[:1]
    assert list(policy.heads()) == list(store.heads)


def test_per_relation_by_hand() -> None:
    policy = selection.PerRelation(selection.First(STORE), limit=1)
    assert tails(policy) == ["城市", "燕京", "16410"]
    assert policy.describe() == "first per_relation=1"
    with pytest.raises(GraphError, match="limit is 0; it must be at least 1 fact per relation"):
        selection.PerRelation(selection.First(STORE), limit=0)


@given(stores | named_stores, st.data(), st.sampled_from(NAMES), st.none() | st.integers(1, 2))
def test_limits_and_heads_are_those_of_all_facts(
    store: TripleStore, data: st.DataObject, name: str, most: int | None
) -> None:
    some = st.frozensets(st.sampled_from(store.relations)) if store.relations else st.just([])
    allow, deny = data.draw(some), data.draw(some)
    policy = selection.make(name, store, allow=allow, deny=deny, max_per_relation=most)
    for entity in [*store.entities, "unknown"]:
        for text in ("", "a b e"):
            facts = policy.facts(entity, text=text)
            for limit in (0, 1, 2, 50):
                assert policy.facts(entity, limit=limit, text=text) == facts[:limit]
            left = [
                fact
                for fact in store.facts(entity)
                if (fact.relation in allow or not allow) and fact.relation not in deny
                and store.readable(fact) is not None
            ]  # fmt: skip
            assert sorted(facts) == sorted(left) if most is None else set(facts) <= set(left)
    heads = list(policy.heads())
    assert heads == [entity for entity in store.heads if policy.facts(entity)]
    assert len(selection.make(name, store).heads()) >= len(heads)


@given(named_stores, st.sampled_from(NAMES))
def test_of_a_named_graph_only_what_can_be_said_is_given(store: TripleStore, name: str) -> None:
    """The label of d is given in any case, so the store is named even if it has no other."""
    policy = selection.make(name, store)
    assert store.named
    for entity in store.entities:
        for fact in policy.facts(entity):
            said = store.readable(fact)
            assert said is not None and said.tail and fact.relation != LABEL
        lost = set(store.facts(entity)) - set(policy.facts(entity))
        assert all(store.readable(fact) is None for fact in lost)


def test_what_cannot_be_said_takes_no_budget() -> None:
    x = "http://x.org/"
    triples = [(f"{x}a", LABEL, '"Ay"@en'), (f"{x}a", f"{x}r", "_:b"), (f"{x}a", f"{x}r", f"{x}bC")]
    store = TripleStore.from_triples([*triples, (f"{x}n", LABEL, '"En"')])
    policy = selection.make("first", store)
    assert policy.facts(f"{x}a", limit=1) == [(f"{x}r", f"{x}bC")]
    assert list(policy.heads()) == [f"{x}a"]
    assert policy.describe() == "first sayable"
    chosen = TripleStore.from_triples(triples, languages=["de", "en"])
    denied = selection.make("similar", chosen, deny=[LABEL], max_per_relation=2)
    assert denied.describe() == (
        f"first sayable=['de', 'en'] deny=['{LABEL}'] similar=256 per_relation=2"
    )


def test_a_policy_of_ones_own_is_asked_for_each_head() -> None:
    """It may leave out what the class that it is made from gives."""

    class Silent(selection.First):
        def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
            return [] if entity == "上海" else super().facts(entity, limit=limit)

    policy = selection.ByRelation(Silent(STORE), store=STORE, deny=["面积"])
    assert list(policy.heads()) == ["北京"]
    outer = selection.PerRelation(policy, limit=1)
    again = selection.ByRelation(outer, store=STORE, deny=["类别"])
    assert list(again.heads()) == ["北京"]


def test_heads_of_filters_over_filters() -> None:
    inner = selection.ByRelation(selection.First(STORE), store=STORE, allow=["面积", "别名"])
    outer = selection.ByRelation(inner, store=STORE, deny=["别名"])
    assert list(inner.heads()) == ["北京", "上海"]
    assert list(outer.heads()) == ["北京"]


def test_only_similar_looks_at_the_text() -> None:
    for name in NAMES:
        for options in ({}, {"deny": ["类别"]}, {"max_per_relation": 1}):
            policy = selection.make(name, STORE, **options)
            assert policy.contextual == (name == "similar")
    named = TripleStore.from_triples([("a", "r", "b")], names={"a": ["A"]})
    assert not selection.make("first", named).contextual
    assert selection.Sayable(selection.make("similar", named), named).contextual


def test_a_hub_of_denied_facts_is_read_until_there_are_enough() -> None:
    triples = [("枢", "多", f"t{i}") for i in range(1_000)]
    triples += [("枢", "少", "x"), ("枢", "少", "y"), ("空", "多", "z")]
    store = TripleStore.from_triples(triples)
    asked: list[int | None] = []

    class Listening(selection.First):
        def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
            asked.append(limit)
            return super().facts(entity, limit=limit, text=text)

    policy = selection.ByRelation(Listening(store), store=store, deny=["多"])
    assert policy.facts("枢", limit=1) == [("少", "x")]
    assert len(asked) < 6 and None not in asked
    asked.clear()
    reverse = selection.ByRelation(Listening(store), store=store, deny=["少"])
    assert len(reverse.facts("枢", limit=2)) == 2
    assert len(asked) == 1 and asked[0] is not None and asked[0] < 10
    assert list(policy.heads()) == ["枢"]


def test_an_empty_graph_takes_any_relation() -> None:
    """One recipe serves with a graph and, for comparison, without."""
    empty = TripleStore.from_triples([], name="none")
    for options in ({"allow": ["首府"]}, {"deny": ["首府"]}):
        policy = selection.make("rare", empty, **options)
        assert list(policy.facts("北京")) == list(policy.heads()) == []
    with pytest.raises(GraphError, match="give a list"):
        selection.make("rare", empty, allow="首府")


def test_unknown_entities_have_no_facts() -> None:
    for name in NAMES:
        assert list(selection.make(name, STORE, allow=["类别"]).facts("火星")) == []


@pytest.mark.parametrize("option", ["allow", "deny"])
def test_unknown_relations_are_named(option: str) -> None:
    with pytest.raises(GraphError) as caught:
        selection.make("first", STORE, **{option: ["类别别", "面积"]})
    message = str(caught.value)
    assert (
        message.startswith(f"{option} (--{option}-relations): ")
        and "'类别别'; did you mean '类别'?" in message
    )
    assert "面积" not in message
    with pytest.raises(GraphError, match="give a list"):
        selection.make("first", STORE, **{option: "类别"})


def test_a_relation_s_name_leads_to_the_relation() -> None:
    place = "http://x.org/birthPlace"
    store = TripleStore.from_triples([("_:a", place, '"x"'), ("_:a", LABEL, '"y"')])
    with pytest.raises(GraphError, match=f"no relation 'birth place'; '{place}' is called so"):
        selection.make("first", store, allow=["birth place"])


def test_make_knows_the_names() -> None:
    assert selection.make("first", STORE) == selection.First(STORE)
    assert selection.make("rare", STORE) == selection.Rare(STORE)
    filtered = selection.make("rare", STORE, deny=["类别"])
    assert tails(filtered) == ["16410", "燕京"]
    with pytest.raises(GraphError, match="first, rare, central, similar; did you mean 'rare'"):
        selection.make("rares", STORE)


def test_describe_is_stable() -> None:
    assert selection.make("first", STORE).describe() == "first"
    assert selection.make("rare", STORE).describe() == "rare"
    described = {
        selection.make("rare", STORE, allow=allow, deny=["面积"]).describe()
        for allow in (["类别", "别名"], ["别名", "类别", "类别"], {"类别", "别名"})
    }
    assert described == {"rare allow=['别名', '类别'] deny=['面积']"}


def test_describe_sorts_what_a_set_does_not() -> None:
    names = [f"关系{number}" for number in range(10, 20)]  # that a set has them in order: 1 in 10!
    store = TripleStore.from_triples([("a", name, "b") for name in names])
    described = selection.make("first", store, allow=names[:10], deny=names[::-1]).describe()
    assert described == f"first allow={names} deny={names}"


def test_policies_are_frozen_and_survive_pickling() -> None:
    for name in NAMES:
        chosen = selection.make(name, STORE, max_per_relation=1)
        same = pickle.loads(pickle.dumps(chosen))
        assert tails(same) == tails(chosen) and same.describe() == chosen.describe()
    policy = selection.make("rare", STORE, deny=["类别"])
    with pytest.raises(AttributeError):
        policy.deny = ()  # type: ignore[attr-defined]
    copy = pickle.loads(pickle.dumps(policy))
    assert tails(copy) == tails(policy)
    assert copy.describe() == policy.describe()
