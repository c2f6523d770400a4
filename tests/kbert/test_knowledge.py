"""Text to logits, end to end: what facts may change, and that without them this is BERT.

Numbers are compared in float64 where a statement is exact, in float32 where it promises 1e-6.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from graphs import TripleStore
from kbert.batch import Batch
from kbert.inject import Injector
from kbert.nn.checkpoint import load_weights
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder, EncoderOutput
from kbert.nn.heads import Classifier
from kbert.nn.visibility import Visibility
from kbert.tokenizer import Tokenizer
from kbert.tree import SentenceTree

FACTS = [
    ("北京", "首都", "中国"),
    ("北京", "是", "城市"),
    ("北京", "简称", "京"),
    ("苹果", "是", "水果"),
    ("苹果", "总裁", "库克"),
]
SENTENCE = "我爱北京，爱吃苹果"
EMPTY = TripleStore.from_triples([])
CHARACTERS = "我爱吃在去和哈，。北京上海苹果 [SEP]ab"
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20).filter(str.strip)


def make_classifier(tokenizer: Tokenizer, *, layers: int) -> Classifier:
    """Draw every weight large, biases and norms too, so that nothing hides in a small number."""
    config = EncoderConfig(
        vocab_size=len(tokenizer), width=24, layers=layers, heads=3, feed_forward=40,
        max_positions=64,
    )  # fmt: skip
    draw = torch.Generator().manual_seed(5)
    model = Classifier(Encoder(config, generator=draw), 3, generator=draw).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=draw), alpha=0.2)
    return model


def hidden(classifier: Classifier, tree: SentenceTree) -> Tensor:
    """The last hidden states of one tree, in float64."""
    batch = Batch.from_trees([tree], pad_id=0)
    with torch.no_grad():
        output: EncoderOutput = classifier.double().encoder(
            batch.token_ids, positions=batch.positions, segments=batch.segments,
            visibility=batch.visibility,
        )  # fmt: skip
    return output.hidden[0]


def trunk(classifier: Classifier, tree: SentenceTree) -> Tensor:
    """The hidden states of the sentence's own tokens."""
    return hidden(classifier, tree)[torch.tensor(tree.trunk)]


def logits(classifier: Classifier, batch: Batch) -> Tensor:
    with torch.no_grad():
        output: Tensor = classifier(
            batch.token_ids, positions=batch.positions, segments=batch.segments,
            visibility=batch.visibility,
        )  # fmt: skip
    return output


@settings(max_examples=8)
@given(facts=st.permutations(FACTS))
def test_the_order_of_facts_changes_nothing_in_the_sentence(
    facts: list[tuple[str, str, str]], tiny_tokenizer: Tokenizer
) -> None:
    classifier = make_classifier(tiny_tokenizer, layers=3)
    tree, other = (
        Injector(TripleStore.from_triples(each), tiny_tokenizer, max_facts=3)(SENTENCE)
        for each in (FACTS, facts)
    )
    assert len(tree) == len(other) == 28
    assert (trunk(classifier, tree) - trunk(classifier, other)).abs().max() < 1e-12
    poorer = Injector(TripleStore.from_triples(facts[1:]), tiny_tokenizer, max_facts=3)(SENTENCE)
    assert (trunk(classifier, tree) - trunk(classifier, poorer)).abs().max() > 1e-3


def test_a_fact_reaches_only_its_mention_in_one_layer(tiny_tokenizer: Tokenizer) -> None:
    without = Injector(TripleStore.from_triples(FACTS[:1]), tiny_tokenizer, max_facts=9)(SENTENCE)
    with_it = Injector(TripleStore.from_triples(FACTS[:2]), tiny_tokenizer, max_facts=9)(SENTENCE)
    for layers, touched in ((1, {3, 4}), (2, set(range(len(SENTENCE) + 2)))):
        classifier = make_classifier(tiny_tokenizer, layers=layers)
        change = (trunk(classifier, with_it) - trunk(classifier, without)).abs().amax(dim=1)
        assert set(torch.nonzero(change > 1e-4).flatten().tolist()) == touched
        untouched = [token for token in range(len(change)) if token not in touched]
        assert (change[untouched] < 1e-12).all()


@given(
    texts=st.lists(st.tuples(TEXTS, st.none() | TEXTS), min_size=1, max_size=4),
)
def test_without_a_graph_the_logits_are_berts_bit_for_bit(
    texts: list[tuple[str, str | None]], tiny_tokenizer: Tokenizer
) -> None:
    classifier = make_classifier(tiny_tokenizer, layers=2)
    inject = Injector(EMPTY, tiny_tokenizer)
    ours = Batch.from_trees([inject(text, pair) for text, pair in texts], pad_id=0)
    rows, kinds = [], []
    for text, pair in texts:
        first = [2, *tiny_tokenizer.encode(text).ids, 3]
        second = [] if pair is None else [*tiny_tokenizer.encode(pair).ids, 3]
        rows.append(first + second)
        kinds.append([0] * len(first) + [1] * len(second))
    longest = max(map(len, rows))
    places = [[*range(len(row)), *[0] * (longest - len(row))] for row in rows]
    plain = Batch(
        torch.tensor([row + [0] * (longest - len(row)) for row in rows]),
        torch.tensor(places),
        torch.tensor([kind + [0] * (longest - len(kind)) for kind in kinds]),
        Visibility.plain([len(row) for row in rows], length=longest),
        torch.tensor([len(row) for row in rows]),
    )
    assert torch.equal(logits(classifier, ours), logits(classifier, plain))
    if len(set(map(len, rows))) == 1:  # no padding: BERT needs no mask at all
        bare = classifier(
            plain.token_ids, positions=plain.positions, segments=plain.segments, visibility=None
        )
        assert (logits(classifier, ours) - bare).abs().max() <= 1e-6


@given(texts=st.lists(TEXTS, min_size=2, max_size=5))
def test_padding_and_batch_mates_change_nothing(
    texts: list[str], tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    classifier = make_classifier(tiny_tokenizer, layers=2)
    inject = Injector(tiny_store, tiny_tokenizer)
    trees = [inject(text) for text in [*texts, SENTENCE * 2]]  # the last one pads the others
    together = logits(classifier, Batch.from_trees(trees, pad_id=0))
    assert torch.isfinite(together).all()
    for row, tree in zip(together, trees, strict=True):
        alone = logits(classifier, Batch.from_trees([tree], pad_id=0))[0]
        assert (row - alone).abs().max() <= 1e-6


def test_padding_gives_no_nan_in_any_token_or_gradient(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    classifier = make_classifier(tiny_tokenizer, layers=2)
    inject = Injector(tiny_store, tiny_tokenizer)
    batch = Batch.from_trees([inject(SENTENCE), inject("哈")], pad_id=0)
    output = classifier.encoder(
        batch.token_ids, positions=batch.positions, segments=batch.segments,
        visibility=batch.visibility,
    )  # fmt: skip
    assert torch.isfinite(output.hidden).all()
    output.hidden[:, 0].square().sum().backward()
    weights = [w for n, w in classifier.encoder.named_parameters() if "pooler" not in n]
    assert all(w.grad is not None and torch.isfinite(w.grad).all() for w in weights)


def test_without_a_graph_it_is_transformers_bert(tiny_tokenizer: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=24, num_attention_heads=3,
        num_hidden_layers=2, intermediate_size=40, max_position_embeddings=64, num_labels=3,
        initializer_range=0.3,
    )  # fmt: skip
    theirs = transformers.BertForSequenceClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    tiny_tokenizer.save(tmp_path)
    ours = Classifier(Encoder(EncoderConfig.from_folder(tmp_path)), 3).eval()
    load_weights(ours, tmp_path)
    inject = Injector(EMPTY, Tokenizer.from_pretrained(tmp_path))
    library = transformers.AutoTokenizer.from_pretrained(tmp_path)
    firsts = [SENTENCE, "哈", "i like 北京 zz, 。", "上海和苹果"]
    for seconds in (None, ["我", SENTENCE, "爱吃", "在"]):
        batch = Batch.from_trees(
            [
                inject(text, None if seconds is None else seconds[i])
                for i, text in enumerate(firsts)
            ],
            pad_id=inject.tokenizer.pad_id,
        )
        with torch.no_grad():
            expected = theirs(**library(firsts, seconds, padding=True, return_tensors="pt")).logits
        found = logits(ours, batch)
        assert (found - expected).abs().max() <= 1e-5
        assert (expected[0] - expected[1]).abs().max() > 1e-2
