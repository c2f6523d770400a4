from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import CheckpointError, SettingsError
from kbert.nn.config import EncoderConfig

SMALL: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 10,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


@given(
    config=st.builds(
        lambda heads, size, **rest: EncoderConfig(heads=heads, width=heads * size, **rest),
        vocab_size=st.integers(1, 10**6),
        heads=st.integers(1, 16),
        size=st.integers(1, 64),
        layers=st.integers(1, 24),
        feed_forward=st.integers(1, 4096),
        max_positions=st.integers(1, 4096),
        segment_types=st.integers(1, 16),
        dropout=st.floats(0, 0.99),
        attention_dropout=st.floats(0, 0.99),
        layer_norm_eps=st.floats(1e-15, 1e-3),
        initializer_std=st.floats(1e-3, 0.5),
    )
)
def test_a_config_survives_the_hugging_face_form(config: EncoderConfig) -> None:
    entries = json.loads(json.dumps(config.to_hugging_face()))
    assert EncoderConfig.from_hugging_face(entries, file="config.json") == config


def test_every_field_has_its_own_name_in_a_config_json() -> None:
    config = EncoderConfig(
        vocab_size=101, width=12, layers=3, heads=4, feed_forward=17, max_positions=33,
        segment_types=5, dropout=0.2, attention_dropout=0.3, layer_norm_eps=1e-7, pad_id=6,
        initializer_std=0.04,
    )  # fmt: skip
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertConfig(**config.to_hugging_face())
    assert theirs.vocab_size == 101
    assert theirs.hidden_size == 12
    assert theirs.num_hidden_layers == 3
    assert theirs.num_attention_heads == 4
    assert theirs.intermediate_size == 17
    assert theirs.max_position_embeddings == 33
    assert theirs.type_vocab_size == 5
    assert theirs.hidden_dropout_prob == 0.2
    assert theirs.attention_probs_dropout_prob == 0.3
    assert theirs.layer_norm_eps == 1e-7
    assert theirs.pad_token_id == 6
    assert theirs.initializer_range == 0.04
    assert theirs.hidden_act == "gelu"


def test_our_defaults_are_those_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    ours = EncoderConfig(vocab_size=30522).to_hugging_face()
    theirs = transformers.BertConfig().to_dict() | {"position_embedding_type": "absolute"}
    assert ours == {name: theirs[name] for name in ours}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"width": -8}, "width is -8"),
        ({"layers": 1.5}, "layers is 1.5"),
        ({"layers": True}, "layers is True"),
        ({"heads": 3}, "width 8 cannot be shared among 3 heads"),
        ({"feed_forward": "16"}, "feed_forward is '16'"),
        ({"max_positions": None}, "max_positions is None"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": float("nan")}, "dropout is nan"),
        ({"attention_dropout": -0.1}, "attention_dropout is -0.1"),
        ({"layer_norm_eps": 0.0}, "layer_norm_eps is 0.0"),
        ({"initializer_std": "x"}, "initializer_std is 'x'"),
        ({"pad_id": 10}, "pad_id is 10"),
        ({"pad_id": -1}, "pad_id is -1"),
    ],
)
def test_a_bad_value_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    sizes: dict[str, Any] = {"vocab_size": 10, "width": 8, "heads": 2}
    with pytest.raises(SettingsError) as caught:
        EncoderConfig(**(sizes | change))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta'"),
        ({"model_type": None}, "model_type is None"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"num_attention_heads": 3}, "cannot be shared"),
        ({"hidden_size": "8"}, "width is '8'"),
    ],
)
def test_another_architecture_is_refused_with_the_file(change: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        EncoderConfig.from_hugging_face(SMALL | change, file="some/config.json")
    assert str(caught.value).startswith("some/config.json: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(SMALL) - {"model_type"}))
def test_a_size_that_is_missing_is_named(name: str) -> None:
    entries = {key: value for key, value in SMALL.items() if key != name}
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        EncoderConfig.from_hugging_face(entries, file="config.json")


def test_a_folder_without_a_readable_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: cannot be read"):
        EncoderConfig.from_folder(tmp_path)
    file = tmp_path / "config.json"
    text = json.dumps(SMALL).encode()
    for broken in (b"", text[:-1], b"\xff" + text, b"[1]"):
        file.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"config\.json: not"):
            EncoderConfig.from_folder(tmp_path)
    file.write_bytes(text)
    assert EncoderConfig.from_folder(tmp_path).width == 8
