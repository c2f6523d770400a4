"""What injection gives where: shares of tokens, repeated mentions, policies that read the text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import Fact, MentionIndex, TripleStore, selection
from kbert.inject import Injector
from kbert.tokenizer import Tokenizer
from kbert.tree import SentenceTree

TEXTS = st.text("我爱去，北京上海苹果", min_size=1, max_size=24)
SHARES = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.7, 0.9, 1.0])


def given_facts(tree: SentenceTree) -> list[tuple[str, str]]:
    return [(node.entity, branch.fact.tail) for node in tree.nodes for branch in node.branches]


@given(first=TEXTS, second=st.none() | TEXTS, share=SHARES, most=st.none() | st.integers(0, 4))
def test_facts_take_their_share_of_the_tokens_and_no_more(
    tiny_store: TripleStore,
    tiny_tokenizer: Tokenizer,
    first: str,
    second: str | None,
    share: float,
    most: int | None,
) -> None:
    """Against the definition: each branch in order, if with it the share is still kept."""
    options = {"max_length": 40, "max_branches": most}
    free = Injector(tiny_store, tiny_tokenizer, max_facts=3, max_length=1000)(first, second)
    inject = Injector(tiny_store, tiny_tokenizer, max_facts=3, max_fact_share=share, **options)
    tree = inject(first, second)
    text, taken, expected = sum(tree.trunk), 0, []
    if tree.cut:
        return
    for node in free.nodes:
        for branch in node.branches:
            size = taken + branch.stop - branch.start
            within = Fraction(size, size + text) <= Fraction(str(share))
            if within and size + text <= 40 and (most is None or len(expected) < most):
                taken = size
                expected.append((node.entity, branch.fact.tail))
    assert given_facts(tree) == expected
    assert tree.omitted == len(given_facts(free)) - len(expected)
    if share == 1.0:
        assert tree == Injector(tiny_store, tiny_tokenizer, max_facts=3, **options)(first, second)


@pytest.mark.parametrize(
    ("share", "tails"),
    [(1.0, ["中国", "城市"]), (0.5, ["中国"]), (0.4, ["中国"]), (0.39, ["城市"]), (0.3, [])],
)
def test_the_share_counts_special_tokens(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer, share: float, tails: list[str]
) -> None:
    """首都中国 has four tokens and 是城市 three, beside six of the text."""
    tree = Injector(tiny_store, tiny_tokenizer, max_fact_share=share)("我爱北京")
    assert [tail for _, tail in given_facts(tree)] == tails
    assert sum(tree.trunk) == 6


def test_the_share_is_the_number_as_written(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    """Three of ten tokens are 0.3 of them, though the double 0.3 is a little less than that."""
    tree = Injector(tiny_store, tiny_tokenizer, max_fact_share=0.3)("我爱吃北京")
    assert (given_facts(tree), len(tree)) == ([("北京", "城市")], 10)


@given(first=TEXTS, second=st.none() | TEXTS)
def test_only_the_first_mention_of_an_entity_has_facts_when_asked(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer, first: str, second: str | None
) -> None:
    often = Injector(tiny_store, tiny_tokenizer)(first, second)
    once = Injector(tiny_store, tiny_tokenizer, repeat_mentions=False)(first, second)
    expected = {}
    for node in often.nodes:
        expected.setdefault(node.entity, [branch.fact for branch in node.branches])
    found = [(node.entity, [branch.fact for branch in node.branches]) for node in once.nodes]
    assert found == list(expected.items())
    assert once.omitted == 0
    kept = {node.entity: often.soft_positions[node.start] for node in reversed(often.nodes)}
    assert {node.entity: once.soft_positions[node.start] for node in once.nodes} == kept


def test_two_names_of_an_entity_are_mentions_of_one(tiny_tokenizer: Tokenizer) -> None:
    store = TripleStore.from_triples(
        [("q1", "是", "q2")], names={"q1": ["北京", "京都"], "q2": ["城市"]}
    )
    for repeat, count in ((True, 2), (False, 1)):
        tree = Injector(store, tiny_tokenizer, repeat_mentions=repeat)("北京，京都")
        assert given_facts(tree) == [("q1", "城市")] * count


def test_a_policy_that_reads_the_text_gives_each_text_its_own(
    tiny_tokenizer: Tokenizer,
) -> None:
    store = TripleStore.from_triples([("北京", "首都", "中国"), ("北京", "是", "城市")])
    policy = selection.make("similar", store)
    texts = {"北京的城市": "城市", "中国，北京": "中国", "北京": "中国"}
    inject = Injector(store, tiny_tokenizer, max_facts=1, policy=policy)
    for _ in range(2):
        for text, tail in texts.items():
            assert given_facts(inject(text)) == [("北京", tail)]
    # Of a pair each mention has the facts of the text that it stands in.
    pair = inject("北京的城市", "中国，北京")
    assert given_facts(pair) == [("北京", "城市"), ("北京", "中国")]


@given(texts=st.lists(TEXTS, min_size=1, max_size=5), name=st.sampled_from(["central", "similar"]))
def test_a_tree_does_not_depend_on_those_before(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer, texts: list[str], name: str
) -> None:
    def make() -> Injector:
        policy = selection.make(name, tiny_store, max_per_relation=1)
        return Injector(tiny_store, tiny_tokenizer, policy=policy)

    used = make()
    trees = [used(text) for text in texts]
    assert trees == [make()(text) for text in texts]
    assert [used(text) for text in reversed(texts)] == trees[::-1]


def test_what_does_not_read_the_text_is_asked_once(tiny_tokenizer: Tokenizer) -> None:
    store = TripleStore.from_triples([("北京", "首都", "中国")])
    asked: list[str] = []

    class Listening(selection.First):
        reads: bool = False

        @property
        def contextual(self) -> bool:
            return self.reads

        def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
            asked.append(text)
            return super().facts(entity, limit=limit)

    class Reading(Listening):
        reads = True

    for policy, expected in ((Listening(store), [""]), (Reading(store), ["我北京", "去北京"])):
        asked.clear()
        inject = Injector(store, tiny_tokenizer, policy=policy, max_facts=1)
        for text in ("我北京", "去北京"):
            inject(text)
        assert asked == expected


X = "http://x.org/"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
RDF = [
    (f"{X}1", LABEL, '"北京"@zh'),
    (f"{X}1", LABEL, '"beijing"@en'),
    (f"{X}1", f"{X}capitalOf", f"{X}2"),
    (f"{X}1", f"{X}near", "_:b"),
    (f"{X}1", f"{X}is", '"城市"@zh'),
    (f"{X}2", LABEL, '"中国"@zh'),
    (f"{X}3", LABEL, '"上海"@zh'),
    (f"{X}4", LABEL, '"北京去"@zh'),
    (f"{X}4", f"{X}near", "_:b"),
    (f"{X}上海滩", f"{X}is", '"果"'),
]


def test_a_named_graph_is_read_in_words(tiny_tokenizer: Tokenizer) -> None:
    store = TripleStore.from_triples(RDF, languages=["zh"])
    tree = Injector(store, tiny_tokenizer, max_facts=9)("我爱北京，去上海")
    (node,) = tree.nodes  # 上海 has a label, and nothing else to say
    assert Injector(store, tiny_tokenizer)("北京去").nodes  # that name hides none that can speak
    assert node.entity == f"{X}1"
    assert [b.fact for b in node.branches] == [("capital of", "中国"), ("is", "城市")]
    ids = tiny_tokenizer.encode("capital of").ids + tiny_tokenizer.encode("中国").ids
    first = node.branches[0]
    assert list(tree.token_ids[first.start : first.stop]) == ids
    assert tree == Injector(
        store,
        tiny_tokenizer,
        max_facts=9,
        policy=selection.make("first", store),
        index=MentionIndex(store, only=selection.make("first", store).heads()),
    )("我爱北京，去上海")


def test_a_policy_that_gives_what_cannot_be_said_loses_no_budget(tiny_tokenizer: Tokenizer) -> None:
    store = TripleStore.from_triples(RDF, languages=["zh"])
    tree = Injector(store, tiny_tokenizer, max_facts=2, policy=selection.First(store))("北京")
    assert [branch.fact.tail for branch in tree.nodes[0].branches] == ["中国", "城市"]


def test_names_are_found_in_the_languages_asked_for(tiny_tokenizer: Tokenizer) -> None:
    for languages, found in (
        (["en", "zh"], ["beijing", "北京"]),
        (["en"], ["beijing"]),
        (["zh"], ["北京"]),
    ):
        inject = Injector(TripleStore.from_triples(RDF, languages=languages), tiny_tokenizer)
        assert [text for text in ("beijing", "北京") if inject(text).nodes] == found
