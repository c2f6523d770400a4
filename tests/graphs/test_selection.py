from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import GraphError, TripleStore, selection

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


def test_unknown_entities_have_no_facts() -> None:
    for name in ("first", "rare"):
        assert list(selection.make(name, STORE, allow=["类别"]).facts("火星")) == []


@pytest.mark.parametrize("option", ["allow", "deny"])
def test_unknown_relations_are_named(option: str) -> None:
    with pytest.raises(GraphError) as caught:
        selection.make("first", STORE, **{option: ["类别别", "面积"]})
    message = str(caught.value)
    assert message.startswith(f"{option}: ") and "'类别别'; did you mean '类别'?" in message
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


def test_policies_are_frozen_and_survive_pickling() -> None:
    policy = selection.make("rare", STORE, deny=["类别"])
    with pytest.raises(AttributeError):
        policy.deny = ()  # type: ignore[attr-defined]
    copy = pickle.loads(pickle.dumps(policy))
    assert tails(copy) == tails(policy)
    assert copy.describe() == policy.describe()
