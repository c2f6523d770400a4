"""The straightforward injector equals ours where both have the same tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.naive import NaiveInjector, facts_of, read_vocabulary
from graphs import TripleStore
from kbert import Injector, Tokenizer

CHARACTERS = "我在北京天安门大学生"
STORE = TripleStore.from_triples(
    [
        ("北京", "首都", "中国"),
        ("北京", "是", "城市"),
        ("北京", "有", "大学"),
        ("北京大学", "位于", "北京"),
        ("天安门", "位于", "北京"),
        ("大学生", "是", "学生"),
    ]
)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(CHARACTERS + "首都中国")]


@pytest.fixture(scope="module")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    file.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return file


@given(text=st.text(CHARACTERS, min_size=1, max_size=20), max_facts=st.integers(0, 3))
def test_trees_equal_ours_on_chinese_text(vocab: Path, text: str, max_facts: int) -> None:
    naive = NaiveInjector(
        facts_of(STORE), read_vocabulary(vocab), max_facts=max_facts, max_length=160
    )(text)
    tree = Injector(STORE, Tokenizer.from_vocab(vocab), max_facts=max_facts)(text)
    length = len(tree)
    assert naive.length == length
    assert naive.token_ids[:length] == list(tree.token_ids)
    assert naive.soft_positions[:length] == list(tree.soft_positions)
    assert naive.trunk[:length] == list(tree.trunk)
    assert np.array_equal(naive.visible[:length, :length] == 1, tree.visible())


def test_padding_sees_nothing_and_long_trees_are_cut(vocab: Path) -> None:
    facts, vocabulary = facts_of(STORE), read_vocabulary(vocab)
    padded = NaiveInjector(facts, vocabulary, max_length=10)("我在")
    assert padded.length == 4
    assert padded.token_ids[4:] == [0] * 6
    assert not padded.visible[4:].any() and not padded.visible[:, 4:].any()
    assert padded.visible[:4, :4].all()
    cut = NaiveInjector(facts, vocabulary, max_length=10)("我在北京大学")
    whole = NaiveInjector(facts, vocabulary, max_length=64)("我在北京大学")
    assert whole.length > 10 == cut.length
    assert cut.token_ids == whole.token_ids[:10]
    assert np.array_equal(cut.visible, whole.visible[:10, :10])
