"""The sentence tree: the paper's example by hand, and random trees read as the paper reads them.

Liu et al. 2020 give the visible matrix in one sentence: two tokens see each other if they are in
the same branch. Here a branch is a path of the tree as a set of tokens: the sentence itself, and
each mention with one of its facts. No interval is looked at.
"""

from __future__ import annotations

import dataclasses
import html
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers

from graphs import TripleStore
from kbert.inject import Injector
from kbert.tokenizer import SPECIALS, Tokenizer
from kbert.tree import SentenceTree

NAMES = ("甲乙", "丙丁", "戊己", "庚辛")
FILLER = "天地人和"
WORDS = "子丑寅卯"


class Case(NamedTuple):
    """What an injector is given."""

    triples: list[tuple[str, str, str]]
    text: str
    pair: str | None
    max_facts: int
    max_length: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    word = st.text(WORDS, min_size=1, max_size=3)
    triples = draw(st.lists(st.tuples(st.sampled_from(NAMES), word, word), max_size=10))
    unit = st.one_of(st.sampled_from(NAMES), st.sampled_from(FILLER))
    sentence = st.lists(unit, min_size=1, max_size=6).map("".join)
    pair = draw(st.none() | sentence)
    return Case(triples, draw(sentence), pair, draw(st.integers(0, 4)), draw(st.integers(5, 60)))


@pytest.fixture(scope="module")
def characters(make_tokenizer: Callable[..., Tokenizer]) -> Tokenizer:
    return make_tokenizer("".join(NAMES) + FILLER + WORDS)


def grow(case: Case, tokenizer: Tokenizer) -> SentenceTree:
    store = TripleStore.from_triples(case.triples)
    inject = Injector(store, tokenizer, max_facts=case.max_facts, max_length=case.max_length)
    return inject(case.text, case.pair)


def paths(tree: SentenceTree) -> list[set[int]]:
    """The sentence, and each mention with one of its facts, as sets of tokens."""
    facts = [
        ({*range(node.start, node.stop)}, {*range(branch.start, branch.stop)})
        for node in tree.nodes
        for branch in node.branches
    ]
    trunk = set(range(len(tree))).difference(*(fact for _, fact in facts))
    return [trunk, *(mention | fact for mention, fact in facts)]


@given(case=cases())
def test_the_visible_matrix_is_the_papers(case: Case, characters: Tokenizer) -> None:
    tree = grow(case, characters)
    found, tokens = paths(tree), range(len(tree))
    expected = [[any({q, k} <= path for path in found) for k in tokens] for q in tokens]
    visible = tree.visible()
    assert visible.dtype == np.bool_
    assert visible.tolist() == expected


@given(case=cases())
def test_who_never_sees_whom(case: Case, characters: Tokenizer) -> None:
    tree = grow(case, characters)
    visible = tree.visible()
    trunk = np.array(tree.trunk)
    assert (visible == visible.T).all()
    assert visible[np.ix_(trunk, trunk)].all()
    for node in tree.nodes:
        for branch in node.branches:
            own = {*range(node.start, node.stop), *range(branch.start, branch.stop)}
            for token in range(branch.start, branch.stop):
                assert set(np.flatnonzero(visible[token])) == own
    plain = trunk.copy()
    for node in tree.nodes:
        plain[node.start : node.stop] = False
    assert not visible[np.ix_(plain, ~trunk)].any()


@given(case=cases())
def test_soft_positions_count_as_if_nothing_had_been_injected(
    case: Case, characters: Tokenizer
) -> None:
    tree = grow(case, characters)
    trunk = [p for p, is_trunk in zip(tree.soft_positions, tree.trunk, strict=True) if is_trunk]
    assert trunk == list(range(len(trunk)))
    for node in tree.nodes:
        after = tree.soft_positions[node.stop - 1] + 1
        for branch in node.branches:
            found = tree.soft_positions[branch.start : branch.stop]
            assert found == tuple(range(after, after + branch.stop - branch.start))
    assert max(tree.soft_positions) < case.max_length


@given(case=cases())
def test_a_branch_stands_right_after_its_mention_and_reads_its_fact(
    case: Case, characters: Tokenizer
) -> None:
    tree = grow(case, characters)
    pieces = [characters.piece(number) for number in tree.token_ids]
    sources = {0: tree.text, 1: tree.pair or ""}
    for node in tree.nodes:
        assert "".join(pieces[node.start : node.stop]) == node.entity
        at = node.stop
        for fact, start, stop in node.branches:
            assert (start, "".join(pieces[start:stop])) == (at, fact.relation + fact.tail)
            assert set(tree.segments[start:stop]) == {tree.segments[node.start]}
            assert set(tree.offsets[start:stop]) == {(-1, -1)}
            at = stop
    for piece, segment, (start, end), is_trunk in zip(
        pieces, tree.segments, tree.offsets, tree.trunk, strict=True
    ):
        if start >= 0:
            assert is_trunk and sources[segment][start:end] == piece
        else:
            assert piece in ("[CLS]", "[SEP]") or not is_trunk


@given(case=cases())
def test_the_array_holds_the_vectors(case: Case, characters: Tokenizer) -> None:
    tree = grow(case, characters)
    array = tree.array()
    assert array.shape == (6, len(tree)) and array.dtype == np.int32
    vectors = (tree.token_ids, tree.soft_positions, tree.segments, tree.enter, tree.leave)
    assert array[:5].tolist() == [list(vector) for vector in vectors]
    assert array[5].astype(bool).tolist() == list(tree.trunk)


def test_the_papers_example(tmp_path: Path) -> None:
    """Figure 2 and 3 of Liu et al. 2020: positions and matrix, written out by hand."""
    words = ["Tim", "Cook", "is", "visiting", "Beijing", "now"]
    words += ["CEO", "Apple", "capital", "China", "is_a", "City"]
    vocabulary = {piece: number for number, piece in enumerate([*SPECIALS, *words])}
    library = Library(models.WordPiece(vocabulary, unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_json(tmp_path / "tokenizer.json")
    store = TripleStore.from_triples(
        [
            ("Tim Cook", "CEO", "Apple"),
            ("Beijing", "capital", "China"),
            ("Beijing", "is_a", "City"),
        ]
    )
    tree = Injector(store, tokenizer)("Tim Cook is visiting Beijing now")
    flattened = [
        ("[CLS]", 0), ("Tim", 1), ("Cook", 2), ("CEO", 3), ("Apple", 4), ("is", 3),
        ("visiting", 4), ("Beijing", 5), ("capital", 6), ("China", 7), ("is_a", 6), ("City", 7),
        ("now", 6), ("[SEP]", 7),
    ]  # fmt: skip
    pieces = [tokenizer.piece(number) for number in tree.token_ids]
    assert list(zip(pieces, tree.soft_positions, strict=True)) == flattened
    matrix = {
        "[CLS]":    "111..111....11",
        "Tim":      "11111111....11",
        "Cook":     "11111111....11",
        "CEO":      ".1111.........",
        "Apple":    ".1111.........",
        "is":       "111..111....11",
        "visiting": "111..111....11",
        "Beijing":  "111..111111111",
        "capital":  ".......111....",
        "China":    ".......111....",
        "is_a":     ".......1..11..",
        "City":     ".......1..11..",
        "now":      "111..111....11",
        "[SEP]":    "111..111....11",
    }  # fmt: skip
    assert list(matrix) == pieces
    seen = ["".join(".1"[int(entry)] for entry in row) for row in tree.visible()]
    assert seen == list(matrix.values())
    assert tree.offsets[1:3] == ((0, 3), (4, 8)) and tree.offsets[7] == (21, 28)


def test_the_authors_example(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    """爱吃苹果(水果)哈 has the soft positions 0 1 2 3 (4 5) 4; ours count [CLS] as well."""
    inject = Injector(tiny_store, tiny_tokenizer, relation_text=False)
    tree = inject("爱吃苹果哈")
    pieces = [tiny_tokenizer.piece(number) for number in tree.token_ids]
    assert pieces == ["[CLS]", *"爱吃苹果水果哈", "[SEP]"]
    assert tree.soft_positions[1:-1] == tuple(1 + p for p in (0, 1, 2, 3, 4, 5, 4))


def test_two_facts_of_one_mention_share_positions(tiny_tokenizer: Tokenizer) -> None:
    store = TripleStore.from_triples([("北京", "是", "城市"), ("北京", "在", "中国")])
    tree = Injector(store, tiny_tokenizer)("我在北京")
    assert tree.soft_positions == (0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 5)


def test_without_facts_it_is_the_sentence(tiny_tokenizer: Tokenizer) -> None:
    tree = Injector(TripleStore.from_triples([]), tiny_tokenizer)("我在北京", "我爱苹果")
    assert tree.soft_positions == tuple(range(11))
    assert tree.segments == (0,) * 6 + (1,) * 5
    assert tree.nodes == () and all(tree.trunk) and tree.visible().all()


def test_a_tree_is_drawn_for_a_person(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    inject = Injector(tiny_store, tiny_tokenizer, max_length=24)
    assert inject("我在北京爱库克").render() == (
        "我在北京爱库克\n"
        "├─ 北京 [3–4]\n"
        "│  ├─ 首都: 中国 [5–8]\n"
        "│  └─ 是: 城市 [5–7]\n"
        "└─ 库克 [6–7]\n"
        "   └─ 职业: 总裁 [8–11]"
    )
    short = Injector(tiny_store, tiny_tokenizer, max_length=14)
    assert short("去北京，去上海，爱爱爱爱", "去").render() == (
        "去北京，去上海，爱爱爱爱 ‖ 去\n(4 more facts did not fit)\n(2 tokens of the text were cut)"
    )
    assert inject("我").render() == "我"


def test_a_tree_is_a_value(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    inject = Injector(tiny_store, tiny_tokenizer)
    tree = inject("我在北京")
    assert tree == inject("我在北京") == pickle.loads(pickle.dumps(tree))
    assert hash(tree) == hash(inject("我在北京")) and tree != inject("我在上海")
    with pytest.raises(dataclasses.FrozenInstanceError):
        tree.cut = 1  # type: ignore[misc]


def test_as_a_network(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    tree = Injector(tiny_store, tiny_tokenizer)("我在北京，上海")
    network = tree.to_networkx()
    assert sorted(network) == sorted({0, *tree.enter})
    assert network.nodes[0] == {"kind": "sentence", "text": "我在北京，上海", "pair": None}
    for number, data in network.nodes(data=True):
        if data["kind"] != "sentence":
            # Numbered as the tokens are, and the subtree is the interval that visibility has.
            first, last = data["start"], data["stop"] - 1
            assert tree.enter[first] == tree.enter[last] == number
            below = sorted({number} | networkx.descendants(network, number))
            assert below == list(range(number, tree.leave[first]))
            assert data["soft"] == tree.soft_positions[first]
    facts = [d for _, d in network.nodes(data=True) if d["kind"] == "fact"]
    assert [(d["relation"], d["tail"]) for d in facts] == [
        branch.fact for node in tree.nodes for branch in node.branches
    ]
    assert networkx.is_arborescence(network)


def test_as_a_page(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    tree = Injector(tiny_store, tiny_tokenizer)("我在<北京>")
    page = tree.to_html()
    assert page.startswith("<!doctype html>") and "我在&lt;北京&gt;" in page
    frame = tree._repr_html_()
    assert frame.startswith("<iframe ") and 'sandbox="allow-scripts"' in frame
    assert html.unescape(frame.split('srcdoc="')[1].split('"')[0]) == page
