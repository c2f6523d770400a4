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
part = st.sampled_from("abcde")
stores = st.lists(st.tuples(part, part, part), max_size=30).map(TripleStore.from_triples)


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


@given(stores, st.frozensets(part), st.frozensets(part), st.sampled_from(["first", "rare"]))
def test_limits_and_heads_are_those_of_all_facts(
    store: TripleStore, allow: frozenset[str], deny: frozenset[str], name: str
) -> None:
    known = set(store.relations)
    policy = selection.make(name, store, allow=allow & known, deny=deny & known)
    for entity in [*store.entities, "unknown"]:
        for limit in (0, 1, 2, 50):
            assert policy.facts(entity, limit=limit) == policy.facts(entity)[:limit]
    assert list(policy.heads()) == [entity for entity in store.heads if policy.facts(entity)]


def test_a_hub_of_denied_facts_is_read_until_there_are_enough() -> None:
    triples = [("枢", "多", f"t{i}") for i in range(1_000)]
    triples += [("枢", "少", "x"), ("枢", "少", "y"), ("空", "多", "z")]
    store = TripleStore.from_triples(triples)
    asked: list[int | None] = []

    class Listening(selection.First):
        def facts(self, entity: str, *, limit: int | None = None) -> Sequence[Fact]:
            asked.append(limit)
            return super().facts(entity, limit=limit)

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
    for name in ("first", "rare"):
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


def test_make_knows_the_names() -> None:
    assert selection.make("first", STORE) == selection.First(STORE)
    assert selection.make("rare", STORE) == selection.Rare(STORE)
    filtered = selection.make("rare", STORE, deny=["类别"])
    assert tails(filtered) == ["16410", "燕京"]
    with pytest.raises(GraphError, match="known are first, rare; did you mean 'rare'"):
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
    policy = selection.make("rare", STORE, deny=["类别"])
    with pytest.raises(AttributeError):
        policy.deny = ()  # type: ignore[attr-defined]
    copy = pickle.loads(pickle.dumps(policy))
    assert tails(copy) == tails(policy)
    assert copy.describe() == policy.describe()
