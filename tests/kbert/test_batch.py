"""Batches: nothing but padding is added, and a plan uses every example once within its budget."""

from __future__ import annotations

import dataclasses
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from kbert.batch import Batch, plan_batches
from kbert.inject import Injector
from kbert.nn.visibility import Visibility
from kbert.tokenizer import Tokenizer
from kbert.tree import SentenceTree

TEXTS = ("我在北京", "去上海，去北京，去上海", "哈", "我爱吃苹果，和库克")


@pytest.fixture(scope="module")
def trees(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> list[SentenceTree]:
    inject = Injector(tiny_store, tiny_tokenizer)
    return [inject(text) for text in TEXTS] + [inject(TEXTS[0], TEXTS[1])]


def test_rows_are_the_trees_and_padding(trees: list[SentenceTree]) -> None:
    batch = Batch.from_trees(trees, pad_id=7)
    longest = max(map(len, trees))
    assert batch.token_ids.shape == (5, longest)
    assert batch.lengths.tolist() == [len(tree) for tree in trees]
    for tensor, name, filler in (
        (batch.token_ids, "token_ids", 7),
        (batch.positions, "soft_positions", 0),
        (batch.segments, "segments", 0),
    ):
        assert tensor.dtype == torch.int64
        expected = [[*getattr(tree, name), *[filler] * (longest - len(tree))] for tree in trees]
        assert tensor.tolist() == expected


def test_visibility_is_the_trees_and_padding_sees_itself(trees: list[SentenceTree]) -> None:
    mask = Batch.from_trees(trees, pad_id=0).visibility.mask()
    longest = max(map(len, trees))
    assert mask.dtype == torch.bool and mask.shape == (5, 1, longest, longest)
    for row, tree in zip(mask[:, 0].numpy(), trees, strict=True):
        expected = np.zeros((longest, longest), dtype=bool)
        expected[: len(tree), : len(tree)] = tree.visible()
        expected[len(tree) :, len(tree) :] = True
        assert (row == expected).all()


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_without_branches_the_mask_is_berts(lengths: list[int], tiny_tokenizer: Tokenizer) -> None:
    inject = Injector(TripleStore.from_triples([]), tiny_tokenizer)
    batch = Batch.from_trees([inject("我" * length) for length in lengths], pad_id=0)
    sizes = [length + 2 for length in lengths]
    plain = Visibility.plain(sizes, length=max(sizes))
    assert torch.equal(batch.visibility.mask(), plain.mask())


def test_arrays_and_trees_make_the_same_batch(trees: list[SentenceTree]) -> None:
    ours = Batch.from_trees(trees, pad_id=0)
    other = Batch.from_arrays([tree.array() for tree in trees], pad_id=0)
    for field in ("token_ids", "positions", "segments", "lengths"):
        assert torch.equal(getattr(ours, field), getattr(other, field))
    for vector in dataclasses.fields(Visibility):
        vectors = [getattr(batch.visibility, vector.name) for batch in (ours, other)]
        assert torch.equal(*vectors)


def test_moving_keeps_everything(trees: list[SentenceTree]) -> None:
    batch = Batch.from_trees(trees, pad_id=0)
    moved = batch.to("meta")
    for field in ("token_ids", "positions", "segments", "lengths"):
        assert getattr(moved, field).is_meta
        assert getattr(moved, field).shape == getattr(batch, field).shape
    assert moved.visibility.enter.is_meta and moved.visibility.trunk.dtype == torch.bool
    same = batch.to("cpu")
    assert torch.equal(same.token_ids, batch.token_ids)
    assert torch.equal(same.positions, batch.positions)
    assert torch.equal(same.segments, batch.segments)
    assert torch.equal(same.lengths, batch.lengths)
    assert torch.equal(same.visibility.mask(), batch.visibility.mask())


def test_the_padding_share_is_counted(trees: list[SentenceTree]) -> None:
    sizes = [len(tree) for tree in trees]
    share = Batch.from_trees(trees, pad_id=0).padding_share
    assert share == pytest.approx(1 - sum(sizes) / (5 * max(sizes)))
    assert 0.2 < share < 0.9
    assert Batch.from_trees(trees[:1], pad_id=0).padding_share == 0


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one tree"):
        Batch.from_trees([], pad_id=0)


@given(
    lengths=st.lists(st.integers(1, 60), max_size=80),
    max_tokens=st.integers(1, 200),
    seed=st.none() | st.integers(0, 5),
)
def test_a_plan_uses_every_example_once_within_its_budget(
    lengths: list[int], max_tokens: int, seed: int | None
) -> None:
    plan = plan_batches(lengths, max_tokens=max_tokens, seed=seed)
    assert sorted(example for batch in plan for example in batch) == list(range(len(lengths)))
    for batch in plan:
        slots = len(batch) * max(lengths[example] for example in batch)
        assert slots <= max_tokens or len(batch) == 1
    assert plan == plan_batches(lengths, max_tokens=max_tokens, seed=seed)
    assert plan == plan_batches(tuple(lengths), max_tokens=max_tokens, seed=seed)


def test_an_example_longer_than_the_budget_is_alone() -> None:
    plan = plan_batches([3, 90, 3, 3], max_tokens=10, seed=None)
    assert plan == [(1,), (0, 2, 3)]


def test_no_examples_make_no_batches() -> None:
    assert plan_batches([], max_tokens=10, seed=None) == []
    assert plan_batches([], max_tokens=10, seed=1) == []


def test_without_a_seed_the_longest_come_first() -> None:
    lengths = [5, 9, 1, 9, 30]
    plan = plan_batches(lengths, max_tokens=18, seed=None)
    assert plan == [(4,), (1, 3), (0, 2)]


def realistic(count: int) -> list[int]:
    """Sentence lengths as those of reviews: many short ones, a long tail."""
    draw = random.Random(3)
    return [min(256, 4 + int(draw.lognormvariate(4.3, 0.7))) for _ in range(count)]


def test_seeds_change_the_order_and_each_order_mixes_lengths() -> None:
    lengths = realistic(5000)
    plans = [plan_batches(lengths, max_tokens=4096, seed=seed) for seed in range(4)]
    assert len({tuple(plan) for plan in plans}) == 4
    together = [{frozenset(batch) for batch in plan} for plan in plans]
    assert len(together[0] & together[1]) < len(plans[0]) / 4  # other neighbours, too
    for plan in plans:
        longest = [max(lengths[example] for example in batch) for batch in plan]
        falling = sum(first > second for first, second in pairwise(longest))
        assert 0.35 < falling / len(longest) < 0.65  # sorted lengths would fall all the time


@pytest.mark.parametrize("seed", [None, 1])
def test_little_of_a_plan_is_padding(seed: int | None) -> None:
    lengths = realistic(5000)
    plan = plan_batches(lengths, max_tokens=4096, seed=seed)
    slots = sum(len(batch) * max(lengths[example] for example in batch) for batch in plan)
    assert 1 - sum(lengths) / slots < 0.05
    assert 1 - sum(lengths) / (256 * len(lengths)) > 0.5  # what padding to 256 would waste
    assert slots / len(plan) > 0.8 * 4096
