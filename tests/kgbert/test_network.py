"""The same logits and gradients as transformers' `BertForSequenceClassification`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kbert.errors import CheckpointError
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kgbert.network import TripleNetwork

transformers = pytest.importorskip("transformers")

CONFIG = EncoderConfig(
    vocab_size=60, width=32, layers=2, heads=4, feed_forward=64, max_positions=40
)


def network(*, labels: int = 2, config: EncoderConfig = CONFIG) -> TripleNetwork:
    """Draw every weight, biases and norms too: zeros and ones would hide mistakes."""
    made = TripleNetwork(Encoder(config), labels=labels)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            centre = 1.0 if "norm.weight" in name else 0.0
            weight.normal_(mean=centre, std=0.1, generator=draw)
    return made.eval()


def inputs(rows: int = 6, length: int = 15) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(7)
    ids = torch.randint(1, 60, (rows, length), generator=draw)
    return ids, (torch.arange(length) // 5 % 2).expand_as(ids)


@pytest.mark.parametrize("labels", [2, 7])
def test_a_saved_network_is_the_same_in_transformers(tmp_path: Path, labels: int) -> None:
    ours = network(labels=labels)
    ours.save(tmp_path, labels=[f"label {i}" for i in range(labels)])
    theirs = transformers.BertForSequenceClassification.from_pretrained(tmp_path).eval()
    assert theirs.config.id2label[labels - 1] == f"label {labels - 1}"
    ids, segments = inputs()
    expected = theirs(input_ids=ids, token_type_ids=segments).logits
    received = ours(ids, segments)
    assert received.shape == (6, labels)
    assert (received - expected).abs().max() <= 1e-5
    wanted = torch.arange(6) % labels
    torch.nn.functional.cross_entropy(received, wanted).backward()
    torch.nn.functional.cross_entropy(expected, wanted).backward()
    gradient = theirs.bert.encoder.layer[0].intermediate.dense.weight.grad
    own: Any = ours.encoder.layers[0]
    assert gradient.abs().max() > 1e-4
    assert (own.expand.weight.grad - gradient).abs().max() <= 1e-5


@pytest.mark.parametrize("labels", [2, 7])
def test_a_network_of_transformers_is_the_same_here(tmp_path: Path, labels: int) -> None:
    config = transformers.BertConfig(
        vocab_size=60, hidden_size=32, num_attention_heads=4, num_hidden_layers=2,
        intermediate_size=64, max_position_embeddings=40, num_labels=labels,
        hidden_dropout_prob=0.25,
    )  # fmt: skip
    theirs = transformers.BertForSequenceClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = TripleNetwork.from_pretrained(tmp_path).eval()
    assert ours.labels == labels
    assert ours.classifier.dropout.p == 0.25
    ids, segments = inputs()
    expected = theirs(input_ids=ids, token_type_ids=segments).logits
    assert (ours(ids, segments) - expected).abs().max() <= 1e-5


def test_padding_changes_nothing() -> None:
    ours, (ids, segments) = network(), inputs(rows=2)
    lengths = [15, 9]
    padded = ids.clone()
    padded[1, 9:] = 0
    received = ours(padded, segments, lengths=lengths)
    alone = ours(ids[1:, :9], segments[1:, :9])
    torch.testing.assert_close(received[1:], alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(received[:1], ours(ids[:1], segments[:1]), rtol=0, atol=1e-5)
    assert (received[1] - ours(padded, segments)[1]).abs().max() > 1e-3


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    ours = network(labels=3)
    ours.save(tmp_path)
    again = TripleNetwork.from_pretrained(tmp_path).eval()
    assert torch.equal(again(*inputs()), ours(*inputs()))
    assert again.classifier.dropout.p == ours.classifier.dropout.p == 0.1


def test_a_fresh_head_is_drawn_from_its_generator(tmp_path: Path) -> None:
    network(labels=3).save(tmp_path)
    first, second, other = (
        TripleNetwork.from_encoder(
            tmp_path, labels=4, generator=torch.Generator().manual_seed(seed)
        )
        for seed in (1, 1, 2)
    )
    weights = [each.classifier.classifier.weight for each in (first, second, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert first.labels == 4
    stored = network(labels=3).encoder.state_dict()
    loaded = first.encoder.state_dict()
    assert all(torch.equal(stored[name], loaded[name]) for name in stored)


def change(folder: Path, **entries: object) -> None:
    file = folder / "config.json"
    content = json.loads(file.read_text()) | entries
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"id2label": {}}, "id2label names no labels"),
        ({"id2label": {"0": "a"}}, "do not fit the model"),
        ({"classifier_dropout": "much"}, "'much', not a rate"),
        ({"classifier_dropout": 1.5}, "1.5, not a rate"),
        ({"model_type": "gpt2"}, "only 'bert'"),
    ],
)
@pytest.mark.usefixtures("unsealed")
def test_a_folder_that_is_no_such_network_is_refused(
    tmp_path: Path, entries: dict[str, object], said: str
) -> None:
    network(labels=3).save(tmp_path)
    change(tmp_path, **entries)
    with pytest.raises(CheckpointError, match=said):
        TripleNetwork.from_pretrained(tmp_path)


def test_an_encoder_of_one_segment_is_refused(tmp_path: Path) -> None:
    config = EncoderConfig(
        vocab_size=60, width=8, layers=1, heads=1, feed_forward=8, segment_types=1
    )
    TripleNetwork(Encoder(config)).save(tmp_path)
    with pytest.raises(CheckpointError, match="knows one segment only"):
        TripleNetwork.from_encoder(tmp_path)
