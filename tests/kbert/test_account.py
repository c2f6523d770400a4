"""What an account says is true: what is in the tree, and that the budget it names is the one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import MentionIndex, TripleStore, selection
from kbert.account import FactAccount, account_for
from kbert.inject import Injector
from kbert.tokenizer import Tokenizer

TEXTS = st.text("我爱去，北京上海苹果", min_size=1, max_size=24)
OPTIONS = st.fixed_dictionaries(
    {
        "max_facts": st.integers(0, 3),
        "max_length": st.integers(5, 40),
        "max_branches": st.none() | st.integers(0, 4),
        "max_fact_share": st.sampled_from([0.0, 0.3, 0.5, 1.0]),
        "repeat_mentions": st.booleans(),
    }
)
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"


@given(text=TEXTS, pair=st.none() | TEXTS, options=OPTIONS)
def test_what_was_injected_and_how_much_was_not(
    tiny_store: TripleStore,
    tiny_tokenizer: Tokenizer,
    text: str,
    pair: str | None,
    options: dict[str, Any],
) -> None:
    inject = Injector(tiny_store, tiny_tokenizer, **options)
    account = account_for(inject, text, pair)
    tree = account.tree
    assert tree == inject(text, pair)
    assert [(f.triple.head, f.branch) for f in account.injected] == [
        (node.entity, branch) for node in tree.nodes for branch in node.branches
    ]
    assert [each.node for each in account.mentions if each.node] == list(tree.nodes)
    reasons = [fact.reason for each in account.mentions for fact in each.facts]
    assert sum("used up" in why or "too long" in why for why in reasons) == tree.omitted
    found = [(0, *m) for m in inject.mentions(text)] + [
        (1, *m) for m in inject.mentions(pair or "")
    ]
    assert [(m.segment, m.start, m.end, m.entity) for m in account.mentions] == found
    for each in account.mentions:
        assert {f.triple for f in each.facts} == {
            (each.entity, *fact) for fact in tiny_store.facts(each.entity)
        }
        assert all((fact.branch is None) == bool(fact.reason) for fact in each.facts)


LIFTED: dict[str, dict[str, Any]] = {
    "--max-facts": {"max_facts": 9},
    "--max-branches": {"max_branches": None},
    "--max-fact-share": {"max_fact_share": 1.0},
    "--max-length": {"max_length": 1000},
    "--no-repeat-mentions": {"repeat_mentions": True},
}


@given(text=TEXTS, options=OPTIONS)
def test_the_budget_named_is_what_keeps_the_first_fact_out(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer, text: str, options: dict[str, Any]
) -> None:
    """With all others lifted it stays out, and with that one lifted too it comes in."""

    def look(options: dict[str, Any]) -> list[FactAccount]:
        found = account_for(Injector(tiny_store, tiny_tokenizer, **options), text)
        return [fact for each in found.mentions for fact in each.facts]

    facts = look(options)
    number = next((n for n, fact in enumerate(facts) if fact.branch is None), None)
    if number is None:
        return
    (named,) = re.findall(r"\((--[a-z-]+)", facts[number].reason)
    others = [values for flag, values in LIFTED.items() if flag not in (named, "--max-facts")]
    for values in others:
        options = options | values
    if named != "--max-fact-share":  # what it says of the two is that one of them was too small
        assert look(options)[number].branch is None
    assert look(options | LIFTED[named])[number].branch is not None


@pytest.mark.parametrize(
    ("policy", "tail", "reason"),
    [
        ({"deny": ["是"]}, "城市", "--deny-relations"),
        ({"allow": ["位于"]}, "城市", "--allow-relations"),
        ({"max_per_relation": 1}, "港口", "--max-per-relation 1"),
    ],
)
def test_a_policy_is_named(
    tiny_tokenizer: Tokenizer, policy: dict[str, Any], tail: str, reason: str
) -> None:
    store = TripleStore.from_triples(
        [("上海", "是", "城市"), ("上海", "位于", "中国"), ("上海", "是", "港口")]
    )
    inject = Injector(store, tiny_tokenizer, policy=selection.make("first", store, **policy))
    (mention,) = account_for(inject, "我爱上海").mentions
    (fact,) = [fact for fact in mention.facts if fact.triple.tail == tail]
    assert fact.branch is None and reason in fact.reason


def test_names_candidates_and_facts_without_words(make_tokenizer: Callable[..., Tokenizer]) -> None:
    triples = [
        ("http://e/1", LABEL, '"Apple"@en'), ("http://e/2", LABEL, '"Apple"@en'),
        ("http://e/2", "http://e/kind", "http://e/3"), ("http://e/3", LABEL, '"fruit"@en'),
        ("http://e/2", "http://e/kind", "_:b1"), ("http://e/1", "http://e/sells", "http://e/3"),
        ("http://e/1", "http://e/kind", "http://e/3"), ("http://e/kind", LABEL, '"kind"@en'),
    ]  # fmt: skip
    store = TripleStore.from_triples(triples)
    tokenizer = make_tokenizer(["apple", "fruit", "kind", "sells"])
    (mention,) = account_for(Injector(store, tokenizer), "Apple").mentions
    assert (mention.entity, mention.title, mention.name) == ("http://e/1", "Apple", "Apple")
    assert [(c.entity, c.facts) for c in mention.candidates] == [
        ("http://e/1", 3),
        ("http://e/2", 3),
    ]
    assert mention.bearers == 2
    assert [fact.words for fact in mention.facts[:2]] == [("sells", "fruit"), ("kind", "fruit")]
    assert mention.facts[2].reason.startswith("it only names")


def test_a_hub_is_listed_in_part(tiny_tokenizer: Tokenizer) -> None:
    store = TripleStore.from_triples([("上海", "是", f"{n}号") for n in range(2000)])
    inject = Injector(store, tiny_tokenizer, index=MentionIndex(store))
    (mention,) = account_for(inject, "上海").mentions
    assert len(mention.facts) == 24 and mention.unlisted == 2000 - 24


def test_the_reasons_of_a_mention(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    inject = Injector(tiny_store, tiny_tokenizer, max_length=8, repeat_mentions=False)
    first, second, third = account_for(inject, "北京北京去上海").mentions
    assert (first.reason, first.node is None) == ("", True)  # no room for its facts
    assert second.reason.startswith("it was named before")
    assert third.reason.startswith("the text is cut before its end (--max-length 8)")
    assert all(fact.reason == third.reason for fact in third.facts[:2])
