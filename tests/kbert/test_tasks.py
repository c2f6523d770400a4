"""Tasks: words and their pieces, targets, decoding, the loss and the scores."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from kbert import metrics
from kbert.errors import DataError
from kbert.examples import TaggedExample, TextExample, join_words
from kbert.inject import Injector
from kbert.nn import Classifier, Encoder, EncoderConfig, Tagger
from kbert.tasks import (
    IGNORED,
    Classification,
    Encoded,
    Tagging,
    align,
    collate,
    labels_in,
    loss,
    make_task,
)
from kbert.tokenizer import Tokenizer
from kbert.tree import SentenceTree

TAGS = ("O", "B-LOC", "I-LOC")
WORDS = ("我", "在", "北", "京", "ab", "abc", "\u200b", "\u200bx", "，", "哈哈", "U.S.", "a-b")


def tagged(words: list[str], tags: list[str]) -> TaggedExample:
    return TaggedExample(tuple(words), tuple(tags), "f.tsv:2")


def mean(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch that is a whole step."""
    return loss(logits, targets, of=labels_in(targets))


def first_pieces(tree: SentenceTree, spans: tuple[tuple[int, int], ...]) -> list[int]:
    """The definition: the first trunk token, if any, that starts inside the word."""
    return [
        next((i for i, (at, _) in enumerate(tree.offsets) if start <= at < end), -1)
        for start, end in spans
    ]


@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), length=st.integers(8, 30))
def test_words_find_their_first_pieces(
    words: list[str], length: int, tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    text, spans = join_words(words)
    if not tiny_tokenizer.encode(text).ids:
        return
    tree = Injector(tiny_store, tiny_tokenizer, max_length=length)(text)
    assert align(tree, spans).tolist() == first_pieces(tree, spans)


def test_branches_stand_between_words_and_carry_no_target(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    task = Tagging(TAGS)
    example = tagged(["在", "北", "京", "吃"], ["O", "B-LOC", "I-LOC", "O"])
    encoded = task.encode(example, Injector(tiny_store, tiny_tokenizer, max_facts=1))
    # [CLS] 在 北 京 首 都 中 国 吃 [SEP]
    assert encoded.facts == 1 and encoded.array.shape[1] == 10
    assert encoded.words.tolist() == [1, 2, 3, 8]
    targets = task.targets([encoded], length=12)
    assert targets.tolist() == [[-100, 0, 1, 2, -100, -100, -100, -100, 0, -100, -100, -100]]
    trunk = encoded.array[5].astype(bool)
    assert all(trunk[token] for token in encoded.words)


def test_a_tag_stands_on_the_first_piece_alone(tiny_tokenizer: Tokenizer) -> None:
    task = Tagging(TAGS)
    inject = Injector(TripleStore.from_triples([]), tiny_tokenizer)
    encoded = task.encode(tagged(["abc", "d"], ["B-LOC", "I-LOC"]), inject)
    # [CLS] a ##b ##c d [SEP]
    assert task.targets([encoded], length=6).tolist() == [[-100, 1, -100, -100, 2, -100]]


def test_words_without_a_piece_are_predicted_o(tiny_tokenizer: Tokenizer) -> None:
    task = Tagging(TAGS)
    inject = Injector(TripleStore.from_triples([]), tiny_tokenizer)
    encoded = task.encode(tagged(["\u200b", "北"], ["B-LOC", "B-LOC"]), inject)
    assert encoded.words.tolist() == [-1, 1]
    logits = torch.zeros(1, 3, 3)
    logits[..., 1] = 1.0  # every token says B-LOC
    assert task.decode(logits, [encoded.words]) == [(0, 1)]


def test_an_entity_that_was_cut_off_counts_as_missed(tiny_tokenizer: Tokenizer) -> None:
    task = Tagging(TAGS)
    inject = Injector(TripleStore.from_triples([]), tiny_tokenizer, max_length=8)
    tags = ["B-LOC", "O", "O", "O", "O", "O", "B-LOC", "I-LOC"]
    encoded = task.encode(tagged(list("北我我我我我京上"), tags), inject)
    assert encoded.cut == 2 and encoded.words.tolist() == [1, 2, 3, 4, 5, 6, -1, -1]
    perfect = torch.nn.functional.one_hot(
        task.targets([encoded], length=8).clamp(min=0), num_classes=3
    ).float()
    predicted = task.decode(perfect, [encoded.words])
    assert predicted == [(1, 0, 0, 0, 0, 0, 0, 0)]
    scores = task.score([encoded.target], predicted)
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)
    assert scores["f1"] == pytest.approx(2 / 3) and scores["token_accuracy"] == 6 / 8


@given(
    rows=st.lists(st.lists(st.sampled_from([IGNORED, 0, 1, 2]), min_size=3, max_size=3), min_size=1)
)
def test_the_loss_is_the_mean_over_labelled_tokens(rows: list[list[int]]) -> None:
    generator = torch.Generator().manual_seed(len(rows))
    logits = torch.randn(len(rows), 3, 3, generator=generator)
    terms = []
    for row, targets in enumerate(rows):
        for token, target in enumerate(targets):
            if target != IGNORED:
                values = logits[row, token].tolist()
                terms.append(math.log(sum(map(math.exp, values))) - values[target])
    expected = sum(terms) / len(terms) if terms else 0.0
    assert mean(logits, torch.tensor(rows)).item() == pytest.approx(expected, abs=1e-5)


def test_the_loss_of_a_batch_without_labels_is_zero_and_has_a_gradient() -> None:
    logits = torch.randn(2, 3, 3, requires_grad=True)
    value = mean(logits, torch.full((2, 3), IGNORED))
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.item() == 0.0 and not gradient.any()


def test_the_loss_of_classes() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    expected = (math.log(2) + math.log(1 + math.exp(-2))) / 2
    assert mean(logits, torch.tensor([1, 0])).item() == pytest.approx(expected)


def test_classification_encodes_decodes_and_scores(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    task = Classification(("坏", "好", "中"))
    inject = Injector(tiny_store, tiny_tokenizer)
    encoded = task.encode(TextExample("我爱北京", None, "好", "f:2"), inject)
    assert encoded.target == (1,) and encoded.facts == 2 and encoded.words.size == 0
    assert task.targets([encoded, encoded], length=99).tolist() == [1, 1]
    logits = torch.tensor([[0.0, 1.0, 0.0], [3.0, 1.0, 2.0]])
    assert task.decode(logits, [encoded.words] * 2) == [(1,), (0,)]
    scores = task.score([(1,), (1,), (0,)], [(1,), (0,), (0,)])
    assert scores == {"accuracy": pytest.approx(2 / 3), "macro_f1": pytest.approx(2 / 3)}


def test_a_pair_keeps_its_segments(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    task = Classification(("0", "1"))
    example = TextExample("我", "北京", "1", "f:2")
    encoded = task.encode(example, Injector(tiny_store, tiny_tokenizer, max_facts=1))
    # [CLS] 我 [SEP] 北 京 首 都 中 国 [SEP]
    assert encoded.array[2].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]


def test_tagging_scores_are_those_of_the_metrics() -> None:
    task = Tagging(TAGS)
    gold, predicted = [(1, 2, 0, 1)], [(1, 2, 0, 0)]
    names = [[TAGS[i] for i in gold[0]]], [[TAGS[i] for i in predicted[0]]]
    scores = metrics.span_scores(*names)
    assert task.score(gold, predicted) == {
        "f1": scores.f1,
        "precision": scores.precision,
        "recall": scores.recall,
        "token_accuracy": 0.75,
    }


def test_a_text_without_tokens_names_its_place(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    inject = Injector(tiny_store, tiny_tokenizer)
    with pytest.raises(DataError, match=r"^f\.tsv:7: the text .* is empty"):
        Classification(("0",)).encode(TextExample("\u200b", None, "0", "f.tsv:7"), inject)


def test_a_batch_holds_inputs_targets_and_places(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    task = Tagging(TAGS)
    inject = Injector(tiny_store, tiny_tokenizer)
    encoded = [
        task.encode(tagged(list(text), ["O"] * len(text)), inject) for text in ("我", "我爱吃")
    ]
    batch = collate(task, encoded, (4, 2), pad_id=tiny_tokenizer.pad_id)
    assert batch.examples == (4, 2)
    assert batch.inputs.token_ids.shape == batch.targets.shape == (2, 5)
    assert batch.targets[0].tolist() == [-100, 0, -100, -100, -100]
    moved = batch.to("meta", non_blocking=True)
    assert moved.targets.device.type == moved.inputs.token_ids.device.type == "meta"


@pytest.mark.parametrize(
    ("kind", "form", "head"),
    [
        ("classification", Classification, Classifier),
        ("pair", Classification, Classifier),
        ("tagging", Tagging, Tagger),
    ],
)
def test_each_kind_of_task_has_its_form_and_head(
    kind: str, form: type, head: type, tiny_tokenizer: Tokenizer
) -> None:
    make: Callable[..., Classification | Tagging] = make_task
    task = make(kind, ["O", "B-X", "I-X"])
    assert type(task) is form and task.labels == ("O", "B-X", "I-X")
    config = EncoderConfig(
        vocab_size=len(tiny_tokenizer), width=8, layers=1, heads=2, feed_forward=8
    )
    heads = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        encoder = Encoder(config, generator=generator)
        heads.append(task.head(encoder, dropout=0.1, generator=generator))
    first, second = heads
    assert type(first) is head and first.classifier.out_features == 3
    assert torch.equal(first.classifier.weight, second.classifier.weight)


def test_encoded_examples_survive_a_worker_process() -> None:
    import pickle

    array = np.zeros((6, 2), dtype=np.int32)
    example = Encoded(array, (1,), np.empty(0, dtype=np.int32), 0, 0, 0)
    copy = pickle.loads(pickle.dumps(example))
    assert copy.target == (1,) and np.array_equal(copy.array, array)
