"""Injection against a slow reading of its rules, on random graphs, texts and budgets.

The reference tokenises one character a piece, finds names by trying every length, cuts a pair with
the loop of google-research/bert, and lays the tree out fact by fact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import Fact, TripleStore
from kbert.inject import Injector, share
from kbert.tokenizer import Tokenizer

NAMES = ("甲乙", "甲乙丙", "丙丁", "丁甲", "戊己")
LETTERS = "甲乙丙丁戊己天地"
WORDS = "子丑寅卯"


class Token(NamedTuple):
    """One token of the flattened tree."""

    piece: str
    position: int
    segment: int
    offset: tuple[int, int]


class Expected(NamedTuple):
    """What a tree must be."""

    tokens: list[Token]
    mentions: list[tuple[str, int, list[Fact]]]
    cut: int
    omitted: int


class Case(NamedTuple):
    """A graph, a text and budgets."""

    facts: dict[str, list[Fact]]
    text: str
    pair: str | None
    max_length: int
    max_facts: int
    max_branches: int | None


def names_in(text: str, facts: dict[str, list[Fact]]) -> list[tuple[int, int]]:
    found, at = [], 0
    while at < len(text):
        lengths = [n for n in range(len(text) - at, 1, -1) if text[at : at + n] in facts]
        if lengths:
            found.append((at, at + lengths[0]))
        at += lengths[0] if lengths else 1
    return found


def shorten(texts: list[str], room: int) -> list[int]:
    """Cut from the end of the longer text, and from the second where both are equally long."""
    lengths = [len(text) for text in texts]
    while sum(lengths) > room:
        lengths[0 if len(lengths) == 1 or lengths[0] > lengths[1] else 1] -= 1
    return lengths


def reference(case: Case) -> Expected:
    texts = [case.text] if case.pair is None else [case.text, case.pair]
    kept = shorten(texts, case.max_length - 1 - len(texts))
    room = case.max_length - 1 - len(texts) - sum(kept)
    budget = case.max_length if case.max_branches is None else case.max_branches
    tokens, mentions, omitted, position = [Token("[CLS]", 0, 0, (-1, -1))], [], 0, 1
    for segment, (text, length) in enumerate(zip(texts, kept, strict=True)):
        ends = {end: start for start, end in names_in(text, case.facts) if end <= length}
        for at in range(length):
            tokens.append(Token(text[at], position, segment, (at, at + 1)))
            position += 1
            if at + 1 not in ends:
                continue
            name = text[ends[at + 1] : at + 1]
            stop, taken = len(tokens), []
            for fact in case.facts[name][: case.max_facts]:
                read = fact.relation + fact.tail
                if len(read) > room or budget == 0:
                    omitted += 1
                    continue
                room, budget = room - len(read), budget - 1
                taken.append(fact)
                tokens += [Token(c, position + i, segment, (-1, -1)) for i, c in enumerate(read)]
            if taken:
                mentions.append((name, stop, taken))
        tokens.append(Token("[SEP]", position, segment, (-1, -1)))
        position += 1
    return Expected(tokens, mentions, sum(map(len, texts)) - sum(kept), omitted)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    word = st.text(WORDS, min_size=1, max_size=2)
    fact = st.builds(Fact, word, word)
    facts = draw(
        st.dictionaries(st.sampled_from(NAMES), st.lists(fact, min_size=1, max_size=4, unique=True))
    )
    text = st.text(LETTERS, min_size=1, max_size=14)
    return Case(
        facts,
        draw(text),
        draw(st.none() | text),
        draw(st.integers(5, 45)),
        draw(st.integers(0, 3)),
        draw(st.none() | st.integers(0, 3)),
    )


@pytest.fixture(scope="module")
def characters(make_tokenizer: Callable[..., Tokenizer]) -> Tokenizer:
    return make_tokenizer(LETTERS + WORDS)


@settings(max_examples=250)
@given(case=cases())
def test_the_tree_is_that_of_the_slow_reading(case: Case, characters: Tokenizer) -> None:
    store = TripleStore.from_triples(
        [(name, *fact) for name, facts in case.facts.items() for fact in facts]
    )
    inject = Injector(
        store, characters, max_length=case.max_length, max_facts=case.max_facts,
        max_branches=case.max_branches,
    )  # fmt: skip
    expected = reference(case)
    for tree in (inject(case.text, case.pair), inject(case.text, case.pair)):
        pieces = [characters.piece(number) for number in tree.token_ids]
        tokens = zip(pieces, tree.soft_positions, tree.segments, tree.offsets, strict=True)
        assert [Token(*token) for token in tokens] == expected.tokens
        assert [
            (node.entity, node.stop, [branch.fact for branch in node.branches])
            for node in tree.nodes
        ] == expected.mentions
        assert (tree.cut, tree.omitted) == (expected.cut, expected.omitted)
        assert (tree.text, tree.pair) == (case.text, case.pair)
        assert len(tree) <= case.max_length
        specials = [piece for piece in pieces if piece.startswith("[")]
        assert specials == ["[CLS]", "[SEP]"] + ([] if case.pair is None else ["[SEP]"])


@given(first=st.integers(0, 40), second=st.integers(0, 40), room=st.integers(0, 60))
def test_share_is_berts_loop(first: int, second: int, room: int) -> None:
    expected = shorten(["a" * first, "b" * second], room)
    assert list(share(first, second, room=room)) == expected
