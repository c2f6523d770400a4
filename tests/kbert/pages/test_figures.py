"""The figures of a tree as markup: every token in its place, none over another."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import Fact, TripleStore
from kbert.inject import Injector
from kbert.pages.attention import written
from kbert.pages.labels import labels_of
from kbert.pages.matrix import runs, sees
from kbert.pages.tree_figure import tree_figure
from kbert.tokenizer import Tokenizer
from kbert.tree import Anchor, SentenceTree, Trunk

TEXTS = st.text("我爱去，北京上海苹果库克", min_size=1, max_size=60)


@given(text=TEXTS, facts=st.integers(0, 3), width=st.sampled_from([120, 340, 880]))
def test_every_token_is_drawn_once_and_over_no_other(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer, text: str, facts: int, width: int
) -> None:
    tree = Injector(tiny_store, tiny_tokenizer, max_facts=facts)(text)
    svg = ElementTree.fromstring(tree_figure(tree, labels_of(tree), width=width, label="x"))
    chips = svg.findall("g[@data-token]")
    assert [int(chip.attrib["data-token"]) for chip in chips] == list(range(len(tree)))
    boxes = []
    for chip in chips:
        rect = chip.find("rect")
        assert rect is not None
        x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width + 0.1 and y + h <= float(svg.attrib["height"])
        boxes.append((x, y - 11, x + w, y + h + 11))  # with the positions above and below
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    # The lines that lead to facts cross no box.
    for stem in svg.findall("path[@class='stem']"):
        for x, top, bottom in re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", stem.attrib["d"]):
            for left, upper, right, lower in boxes:
                outside = not left < float(x) < right
                assert outside or float(bottom) <= upper or lower <= float(top)


def test_a_chip_says_its_positions(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    tree = Injector(tiny_store, tiny_tokenizer)("我在北京")
    svg = ElementTree.fromstring(tree_figure(tree, labels_of(tree), width=880, label="x"))
    for token, chip in enumerate(svg.findall("g")):
        texts = [text.text for text in chip.findall("text")]
        assert texts[1:] == [str(token), str(tree.soft_positions[token])]
    assert "token 5, soft position 5, of a fact" in svg.findall("g")[5].attrib["aria-label"]


@given(row=st.lists(st.booleans(), max_size=20))
def test_runs_are_the_spans_of_true(row: list[bool]) -> None:
    spans = runs(np.array(row, dtype=np.bool_))
    assert [k for start, stop in spans for k in range(start, stop)] == [
        k for k, seen in enumerate(row) if seen
    ]
    assert all(b[0] > a[1] for a, b in itertools.pairwise(spans))


def test_whom_tokens_see_in_short() -> None:
    assert sees(np.array([[True, True, False], [False, False, False], [True, False, True]])) == [
        "0-2", "", "0-1 2-3",
    ]  # fmt: skip


@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_shares_are_written_to_a_thousandth(shares: list[float]) -> None:
    text = written(np.array([shares]))
    back = [int(text[at : at + 2], 36) / 1295 for at in range(0, len(text), 2)]
    assert np.abs(np.array(back) - np.array(shares)).max() <= 0.0005


def tree_of(fact: Fact, tokens: int) -> SentenceTree:
    trunk = Trunk([2, 7, 8, 3], [0, 0, 0, 0], [-1, 0, 1, -1], [-1, 1, 2, -1])
    return SentenceTree.build(trunk, [Anchor("x", 1, 2, [(fact, [9] * tokens)])], text="ab")


@pytest.mark.parametrize(
    ("fact", "tokens", "labels"),
    [
        (Fact("首都", "中国"), 4, ["首", "都", "中", "国"]),
        (Fact("首都", "中国"), 2, ["中", "国"]),  # without the text of the relation
        (Fact("is a", "big city."), 5, ["is", "a", "big", "city", "."]),
        (Fact("is a", "Metropolis"), 6, ["·1", "·2", "·3", "·4", "·5", "·6"]),
        (Fact("年份", "1976年"), 4, ["年", "份", "1976", "年"]),
    ],
)
def test_what_tokens_of_facts_are_called(fact: Fact, tokens: int, labels: list[str]) -> None:
    assert labels_of(tree_of(fact, tokens)) == ("[CLS]", "a", *labels, "b", "[SEP]")


def test_pieces_are_taken_as_they_are(make_tokenizer: Callable[..., Tokenizer]) -> None:
    tree = tree_of(Fact("a", "b"), 2)
    assert labels_of(tree, list("012345")) == tuple("012345")
    with pytest.raises(ValueError, match="2 pieces for a tree of 6 tokens"):
        tree.to_html(pieces=["a", "b"])
