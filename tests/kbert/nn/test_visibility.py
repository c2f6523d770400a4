"""The rule against readings of its text that share no code with it."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from kbert.nn.visibility import Visibility, visible

FIELDS = ("document", "enter", "leave", "trunk", "query_rank", "key_rank")


class Node(NamedTuple):
    """A node of an oracle tree: how many tokens, and its children."""

    tokens: int
    children: list[Node]


def number(roots: list[Node]) -> tuple[dict[str, NDArray[np.int32]], list[tuple[int, ...]]]:
    """Number depth first; give the vectors and, for each token, its path of nodes from the root."""
    enter: list[int] = []
    leave: list[int] = []
    paths: list[tuple[int, ...]] = []
    count = 0

    def visit(node: Node, path: tuple[int, ...]) -> None:
        nonlocal count
        me, start = count, len(paths)
        count += 1
        paths.extend([(*path, me)] * node.tokens)
        enter.extend([me] * node.tokens)
        leave.extend([-1] * node.tokens)
        for child in node.children:
            visit(child, (*path, me))
        leave[start : start + node.tokens] = [count] * node.tokens

    for root in roots:
        visit(root, ())
    zeros = np.zeros(len(paths), dtype=np.int32)
    vectors = {
        "document": zeros,
        "enter": np.array(enter, dtype=np.int32),
        "leave": np.array(leave, dtype=np.int32),
        "trunk": np.array([len(path) == 1 for path in paths]),
        "query_rank": zeros,
        "key_rank": zeros,
    }
    return vectors, paths


def forests(depth: int) -> st.SearchStrategy[list[Node]]:
    below: st.SearchStrategy[list[Node]] = st.just([])
    for _ in range(depth):
        below = st.lists(st.builds(Node, st.integers(1, 3), below), max_size=3)
    return st.lists(st.builds(Node, st.integers(1, 3), below), min_size=1, max_size=4)


def same_branch(roots: list[Node]) -> NDArray[np.bool_]:
    """K-BERT's text for depth one: two tokens see each other iff they are in the same branch.

    A branch is a mention with one of its facts; the sentence is a branch as well (Liu et al.
    2020, section 3.4: visible iff w_i and w_j are "in the same branch").
    """
    trunk: set[int] = set()
    branches: list[set[int]] = [trunk]
    at = 0
    for root in roots:
        mention = set(range(at, at + root.tokens))
        trunk |= mention
        at += root.tokens
        for child in root.children:
            branches.append(mention | set(range(at, at + child.tokens)))
            at += child.tokens
    return np.array(
        [[any({i, j} <= branch for branch in branches) for j in range(at)] for i in range(at)]
    )


@given(forests(depth=1))
def test_depth_one_is_k_berts_visible_matrix(roots: list[Node]) -> None:
    vectors, _ = number(roots)
    np.testing.assert_array_equal(visible(**vectors), same_branch(roots))


@given(forests(depth=3))
def test_deeper_trees_see_along_paths_only(roots: list[Node]) -> None:
    vectors, paths = number(roots)
    expected = [
        [(len(p) == 1 and len(q) == 1) or p[: len(q)] == q or q[: len(p)] == p for q in paths]
        for p in paths
    ]
    np.testing.assert_array_equal(visible(**vectors), np.array(expected))


def test_the_papers_example() -> None:
    """Figure 2: [CLS] Tim Cook (CEO Apple) is visiting Beijing (capital China, is_a City) now."""
    flattened = "[CLS] Tim Cook CEO Apple is visiting Beijing capital China is_a City now"
    words = flattened.split()
    vectors, _ = number([
        Node(1, []), Node(2, [Node(2, [])]), Node(1, []), Node(1, []),
        Node(1, [Node(2, []), Node(2, [])]), Node(1, []),
    ])  # fmt: skip
    matrix = visible(**vectors)
    seen = {
        word: {words[k] for k in np.flatnonzero(row)}
        for word, row in zip(words, matrix, strict=True)
    }
    trunk = {"[CLS]", "Tim", "Cook", "is", "visiting", "Beijing", "now"}
    assert seen["[CLS]"] == seen["is"] == seen["visiting"] == seen["now"] == trunk
    assert seen["Tim"] == seen["Cook"] == trunk | {"CEO", "Apple"}
    assert seen["Beijing"] == trunk | {"capital", "China", "is_a", "City"}
    assert seen["CEO"] == seen["Apple"] == {"Tim", "Cook", "CEO", "Apple"}
    assert seen["capital"] == seen["China"] == {"Beijing", "capital", "China"}
    assert seen["is_a"] == seen["City"] == {"Beijing", "is_a", "City"}


@st.composite
def batches(draw: st.DrawFn) -> dict[str, NDArray[np.int32]]:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 9)))
    vectors = {
        name: draw(hnp.arrays(np.int32, shape, elements=st.integers(0, 4))) for name in FIELDS
    }
    vectors["trunk"] = vectors["trunk"] > 1
    return vectors


def by_hand(vectors: dict[str, NDArray[np.int32]], q: int, k: int) -> bool:
    """The sentence of the design, read aloud, for two tokens of a row."""
    d, e, v, t, qr, kr = (vectors[name] for name in FIELDS)
    if d[q] != d[k] or kr[k] > qr[q]:
        return False
    return bool((t[q] and t[k]) or e[q] <= e[k] < v[q] or e[k] <= e[q] < v[k])


@given(batches())
def test_numpy_torch_and_the_sentence_agree(vectors: dict[str, NDArray[np.int32]]) -> None:
    mask = Visibility(**{name: torch.from_numpy(v) for name, v in vectors.items()}).mask()
    rows, length = vectors["enter"].shape
    assert mask.dtype == torch.bool
    assert mask.shape == (rows, 1, length, length)
    for row in range(rows):
        one = {name: vector[row] for name, vector in vectors.items()}
        matrix = visible(**one)
        np.testing.assert_array_equal(mask[row, 0].numpy(), matrix)
        for q, k in product(range(length), repeat=2):
            assert matrix[q, k] == by_hand(one, q, k)


def test_ranks_equal_to_positions_are_causal() -> None:
    plain = Visibility.plain([5], length=5)
    ranks = torch.arange(5)[None]
    causal = Visibility(
        document=plain.document, enter=plain.enter, leave=plain.leave, trunk=plain.trunk,
        query_rank=ranks, key_rank=ranks,
    )  # fmt: skip
    assert torch.equal(causal.mask()[0, 0], torch.ones(5, 5).tril().bool())


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_plain_rows_see_themselves_and_padding_sees_padding(lengths: list[int]) -> None:
    mask = Visibility.plain(lengths, length=6).mask()
    for row, size in enumerate(lengths):
        text = np.arange(6) < size
        np.testing.assert_array_equal(mask[row, 0].numpy(), text[:, None] == text[None, :])
    assert mask.any(dim=-1).all()


def test_a_row_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="a row has 7 tokens; length is 6"):
        Visibility.plain([2, 7], length=6)


def test_moving_keeps_every_vector() -> None:
    values = {name: torch.full((1, 2), i) for i, name in enumerate(FIELDS)}
    moved = Visibility(**values).to("cpu")
    assert all(torch.equal(getattr(moved, name), value) for name, value in values.items())


def test_importing_the_rule_does_not_import_torch() -> None:
    code = "import sys, kbert.nn.visibility; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
