"""Knowledge dropout: what is left is what a poorer graph gives, drawn anew in every epoch."""

from __future__ import annotations

import pickle
from itertools import count

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from kbert.batch import Batch
from kbert.dropout import Thinned, thinned, without_branches
from kbert.examples import TaggedExample, TextExample
from kbert.inject import Injector
from kbert.plans import Steps
from kbert.tasks import Classification, Encoded, Tagging
from kbert.tokenizer import Tokenizer
from kbert.tree import SentenceTree

TEXTS = st.text("我爱去，北京上海苹果库克", min_size=1, max_size=24)
EXAMPLES = ("我爱北京，去上海", "吃苹果", "哈", "库克在北京和上海")


def injector(triples: list[tuple[str, str, str]], tokenizer: Tokenizer) -> Injector:
    return Injector(TripleStore.from_triples(triples), tokenizer, max_facts=9, max_length=500)


def encode(tree: SentenceTree, *, words: list[int]) -> Encoded:
    facts = sum(len(node.branches) for node in tree.nodes)
    return Encoded(tree.array(), (0,), np.array(words, dtype=np.int32), facts, 0, 0)


@given(first=TEXTS, second=st.none() | TEXTS, data=st.data())
def test_what_is_left_is_injection_without_these_facts(
    tiny_store: TripleStore,
    tiny_tokenizer: Tokenizer,
    first: str,
    second: str | None,
    data: st.DataObject,
) -> None:
    gone = data.draw(st.frozensets(st.sampled_from(list(tiny_store))))
    full = injector(list(tiny_store), tiny_tokenizer)(first, second)
    poor = injector([t for t in tiny_store if t not in gone], tiny_tokenizer)(first, second)
    facts = [(node.entity, *branch.fact) for node in full.nodes for branch in node.branches]
    dropped = np.array([fact in gone for fact in facts], dtype=np.bool_)
    trunk = [place for place, own in enumerate(full.trunk) if own]
    left = without_branches(encode(full, words=[-1, *trunk]), dropped)
    expected = [place for place, own in enumerate(poor.trunk) if own]
    assert left.words.tolist() == [-1, *expected]
    assert left.facts == len(facts) - dropped.sum()
    for row in (0, 1, 2, 5):  # ids, soft positions, segments, trunk
        assert left.array[row].tolist() == poor.array()[row].tolist()
    masks = [
        Batch.from_arrays([array], pad_id=0).visibility.mask()
        for array in (left.array, poor.array())
    ]
    assert torch.equal(*masks)


@pytest.fixture
def encoded(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> list[Encoded]:
    inject, task = Injector(tiny_store, tiny_tokenizer), Classification(("a", "b"))
    return [task.encode(TextExample(text, None, "a", "f:1"), inject) for text in EXAMPLES]


def test_draws_are_a_function_of_seed_epoch_and_example(encoded: list[Encoded]) -> None:
    def arrays(seed: int, epoch: int, *, order: list[int] | None = None) -> list[bytes]:
        part = Thinned(encoded, rate=0.5, seed=seed, epoch=epoch)
        found = {number: part[number].array.tobytes() for number in order or range(len(part))}
        return [found[number] for number in range(len(part))]

    again = arrays(1, 0, order=[2, 3, 1, 0])
    assert arrays(1, 0) == again
    kinds = {tuple(arrays(seed, epoch)) for seed in (1, 2, 2**32 - 1) for epoch in range(8)}
    assert len(kinds) > 16
    part = Thinned(encoded, rate=0.5, seed=1, epoch=0)
    copy = pickle.loads(pickle.dumps(part))
    assert [example.array.tobytes() for example in copy] == again
    assert [example.array.tobytes() for example in part[1:]] == again[1:]
    assert part[-1].array.tobytes() == again[-1]
    with pytest.raises(IndexError):
        part[len(encoded)]


def test_examples_alike_lose_other_facts(encoded: list[Encoded]) -> None:
    part = Thinned([encoded[0]] * 50, rate=0.5, seed=1, epoch=0)
    assert len({example.array.tobytes() for example in part}) > 8


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_each_fact_is_left_out_that_often(encoded: list[Encoded], rate: float) -> None:
    epochs, example = 600, encoded[0]
    left = [Thinned([example], rate=rate, seed=3, epoch=epoch)[0] for epoch in range(epochs)]
    trunk = int(example.array[5].sum())
    assert all(int(each.array[5].sum()) == trunk for each in left)
    assert example.facts == 4
    nodes = np.unique(example.array[3][example.array[5] == 0])
    for node in nodes:
        share = 1 - sum(bool((each.array[3] == node).any()) for each in left) / epochs
        assert abs(share - rate) < 4 * (rate * (1 - rate) / epochs) ** 0.5
    lost = [example.facts - each.facts for each in left]
    variance = 4 * rate * (1 - rate)  # of independent draws
    assert np.var(lost) == pytest.approx(variance, rel=0.25)


def test_without_dropout_nothing_is_touched(encoded: list[Encoded]) -> None:
    assert thinned(encoded, rate=0.0, seed=1, epoch=0) is encoded
    everything = thinned(encoded, rate=1.0, seed=1, epoch=0)
    assert [example.facts for example in everything] == [0] * len(EXAMPLES)
    bare = Thinned(encoded, rate=1.0, seed=1, epoch=0)[2]
    assert bare is encoded[2]  # 哈 has no facts to lose


def test_tags_stay_on_their_words(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    task = Tagging(("O", "B-X", "I-X"))
    example = TaggedExample(tuple("北京和上海"), ("B-X", "I-X", "O", "B-X", "I-X"), "f:1")
    full = task.encode(example, Injector(tiny_store, tiny_tokenizer))
    for epoch in count():
        steps = Steps(Thinned([full], rate=0.5, seed=1, epoch=epoch), [(0,)], task=task, pad_id=0)
        batch = steps[0]
        tagged = batch.targets[0] >= 0
        pieces = [tiny_tokenizer.piece(int(i)) for i in batch.inputs.token_ids[0][tagged]]
        assert pieces == list("北京和上海")
        assert batch.targets[0][tagged].tolist() == [1, 2, 0, 1, 2]
        if 0 < batch.inputs.lengths[0] - 7 < full.array.shape[1] - 7:
            break  # some facts were left out, and some were not
