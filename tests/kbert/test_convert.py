"""Pickle checkpoints become model folders that say the same; PyTorch's reader is the oracle."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kbert.convert import main
from kbert.nn import Encoder, LanguageModel
from kbert.nn.checkpoint import load_encoder, load_language_model
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import EncoderOutput
from kbert.nn.layout import file_names
from kbert.nn.legacy import read_legacy
from kbert.nn.uer import from_uer, is_uer
from kbert.nn.visibility import Visibility
from kbert.tokenizer import SPECIALS

CONFIG = EncoderConfig(vocab_size=20, width=128, layers=2, heads=2, feed_forward=24)
IDS = torch.tensor([[2, 7, 9, 3], [2, 11, 5, 3]])
# UER's names as its own code writes them (uer/layers, uer/encoders, 2019 and later).
OUTER = {
    "bert.embeddings.word_embeddings": ("embedding.word_embedding", "embedding.word.embedding"),
    "bert.embeddings.position_embeddings": (
        "embedding.position_embedding",
        "embedding.pos.embedding",
    ),
    "bert.embeddings.token_type_embeddings": (
        "embedding.segment_embedding",
        "embedding.seg.embedding",
    ),
    "bert.embeddings.LayerNorm": ("embedding.layer_norm", "embedding.layer_norm"),
    "bert.pooler.dense": ("target.nsp_linear_1", "target.sp.linear_1"),
    "cls.seq_relationship": ("target.nsp_linear_2", "target.sp.linear_2"),
    "cls.predictions.transform.dense": ("target.mlm_linear_1", "target.mlm.linear_1"),
    "cls.predictions.transform.LayerNorm": ("target.layer_norm", "target.mlm.layer_norm"),
    "cls.predictions": ("target.mlm_linear_2", "target.mlm.linear_2"),
}
IN_LAYER = {
    "attention.self.query": "self_attn.linear_layers.0",
    "attention.self.key": "self_attn.linear_layers.1",
    "attention.self.value": "self_attn.linear_layers.2",
    "attention.output.dense": "self_attn.final_linear",
    "attention.output.LayerNorm": "layer_norm_1",
    "intermediate.dense": "feed_forward.linear_1",
    "output.dense": "feed_forward.linear_2",
    "output.LayerNorm": "layer_norm_2",
}


def make_model() -> LanguageModel:
    model = LanguageModel(Encoder(CONFIG), relation_labels=2).eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2, generator=draw)
    return model


def hugging_face(model: LanguageModel) -> dict[str, Tensor]:
    tensors = model.state_dict()
    return {theirs: tensors[ours] for ours, theirs in file_names(model).items()}


def uer(model: LanguageModel, *, later: bool) -> dict[str, Tensor]:
    """Write a model as UER does: its names, a first row of segments, a decoder that is tied."""
    found: dict[str, Tensor] = collections.OrderedDict()
    for name, tensor in hugging_face(model).items():
        stem, _, leaf = name.rpartition(".")
        if stem.startswith("bert.encoder.layer."):
            number, inner = stem.removeprefix("bert.encoder.layer.").split(".", 1)
            stem = f"encoder.transformer.{number}.{IN_LAYER[inner]}"
        else:
            stem = OUTER[stem][later]
        if "layer_norm" in stem:
            leaf = {"weight": "gamma", "bias": "beta"}[leaf]
        found[f"{stem}.{leaf}"] = tensor
    segments = "embedding.seg.embedding.weight" if later else "embedding.segment_embedding.weight"
    found[segments] = torch.cat([torch.zeros(1, CONFIG.width), found[segments]])
    words = "embedding.word.embedding.weight" if later else "embedding.word_embedding.weight"
    found["target.mlm.linear_2.weight" if later else "target.mlm_linear_2.weight"] = found[words]
    return found


def outputs(encoder: Encoder) -> EncoderOutput:
    with torch.no_grad():
        output: EncoderOutput = encoder(
            IDS,
            positions=torch.arange(4).expand(2, 4),
            segments=torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]]),
            visibility=Visibility.plain([4, 3], length=4),
        )
    return output


def write_vocabulary(file: Path) -> None:
    file.write_text("".join(f"{piece}\n" for piece in (*SPECIALS, *"abcdefghijklmno")))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("later", [True, False])
def test_a_checkpoint_of_uer_says_the_same(
    later: bool, zipped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """K-BERT's `google_model.bin` is of the old format, `google_vocab.txt` stands beside it."""
    model = make_model()
    file = tmp_path / "google_model.bin"
    torch.save(uer(model, later=later), file, _use_new_zipfile_serialization=zipped)
    write_vocabulary(tmp_path / "google_vocab.txt")
    assert main([str(file), "-o", str(tmp_path / "out"), "--trust"]) == 0
    assert "tensors of UER" in capsys.readouterr().err
    ours, theirs = outputs(load_encoder(tmp_path / "out").eval()), outputs(model.encoder)
    assert torch.equal(ours.hidden, theirs.hidden) and torch.equal(ours.pooled, theirs.pooled)
    again = load_language_model(tmp_path / "out").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())
    assert (tmp_path / "out" / "checksums.json").is_file()


def test_a_folder_of_hugging_face_keeps_its_config(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForPreTraining, BertModel

    config = BertConfig(
        vocab_size=20, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=32, layer_norm_eps=1e-6,
    )  # fmt: skip
    theirs = BertForPreTraining(config).eval()
    old = tmp_path / "old"
    old.mkdir()
    torch.save(theirs.state_dict(), old / "pytorch_model.bin")
    (old / "config.json").write_text(config.to_json_string())
    write_vocabulary(old / "vocab.txt")
    assert main([str(old), "-o", str(tmp_path / "new"), "--trust"]) == 0
    ours = load_encoder(tmp_path / "new").eval()
    assert (ours.config.heads, ours.config.layer_norm_eps) == (3, 1e-6)
    with torch.no_grad():
        expected = theirs.bert(IDS).last_hidden_state
    output = ours(
        IDS,
        positions=torch.arange(4).expand(2, 4),
        segments=torch.zeros_like(IDS),
        visibility=Visibility.plain([4, 4], length=4),
    )
    torch.testing.assert_close(output.hidden, expected, atol=1e-5, rtol=1e-5)
    again = BertModel.from_pretrained(tmp_path / "new").eval()
    with torch.no_grad():
        assert torch.equal(again(IDS).last_hidden_state, expected)


DTYPES = [
    torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


@settings(max_examples=40)
@given(data=st.data())
def test_our_reader_reads_what_pytorch_reads(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Shapes, strides, offsets, shared storages, parameters and metadata, in both formats."""
    draw = data.draw
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    tensors: dict[str, Any] = collections.OrderedDict()
    for number in range(draw(st.integers(1, 4))):
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        tensor = (torch.rand(shape, generator=generator) * 99).to(draw(st.sampled_from(DTYPES)))
        if tensor.ndim > 1 and draw(st.booleans()):
            tensor = tensor.transpose(0, 1)
        if tensor.ndim and tensor.shape[0] > 1 and draw(st.booleans()):
            tensor = tensor[1:]
        if tensor.is_floating_point() and draw(st.booleans()):
            tensor = torch.nn.Parameter(tensor)
        tensors[f"t{number}"] = tensor
        if draw(st.booleans()):
            tensors[f"again{number}"] = tensor
    if draw(st.booleans()):
        tensors = dict(tensors)
    else:
        tensors._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]
    file = tmp_path_factory.mktemp("convert") / "x.bin"
    torch.save(tensors, file, _use_new_zipfile_serialization=draw(st.booleans()))
    oracle = torch.load(file, weights_only=True)
    found = read_legacy(file)
    assert list(found) == list(oracle)
    for name, tensor in found.items():
        assert tensor.dtype == oracle[name].dtype and tensor.is_contiguous()
        assert torch.equal(tensor, oracle[name])


@pytest.fixture
def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Convert in vain: return the one line that says why."""

    def refused(*arguments: str) -> str:
        assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
        out, err = capsys.readouterr()
        assert out == "" and not (tmp_path / "out").exists()
        *notes, line = err.splitlines()
        assert all(note.startswith("note: ") for note in notes) and line.startswith("error: ")
        return line.removeprefix("error: ")

    return refused


def test_without_trust_nothing_is_read(tmp_path: Path, refusal: Callable[..., str]) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"not even a pickle")
    assert refusal(str(file)).startswith(f"{file}: is a pickle, which other programs run as code")
    assert "--trust" in refusal(str(file))


def test_mistakes_are_one_line(tmp_path: Path, refusal: Callable[..., str]) -> None:
    folder, file = tmp_path / "model", tmp_path / "model" / "x.bin"
    folder.mkdir()
    model = make_model()
    torch.save(hugging_face(model), file)
    assert "no such file" in refusal(str(folder), "--trust")
    assert "no vocab.txt beside the weights; say where with" in refusal(str(file), "--trust")
    assert "--cased is of use with --vocab" in refusal(str(file), "--trust", "--cased")
    write_vocabulary(folder / "vocab.txt")
    assert "33" in refusal(str(file), "--trust", "--heads", "33")
    (folder / "large.txt").write_text("".join(f"{n}\n" for n in (*SPECIALS, *range(30))))
    line = refusal(str(file), "--trust", "--vocab", str(folder / "large.txt"))
    assert line.endswith("has 20 embeddings for 35 pieces; name the vocabulary that belongs to it"
                         " with --vocab")  # fmt: skip
    torch.save({"a": torch.zeros(2)}, file)
    assert "is no BERT: it has no embeddings.word_embeddings.weight" in refusal(
        str(file), "--trust"
    )
    torch.save({**uer(model, later=False), "encoder.rnn.weight": torch.zeros(2)}, file)
    assert "1 tensors are not of a BERT of UER (encoder.rnn.weight)" in refusal(
        str(file), "--trust"
    )
    lacking = uer(model, later=False)
    del lacking["encoder.transformer.1.layer_norm_2.gamma"]
    torch.save(lacking, file)
    assert "1 missing (encoder.layer.1.output.LayerNorm.weight)" in refusal(str(file), "--trust")
    torch.save(hugging_face(model), file)
    (folder / "config.json").write_text(json.dumps(CONFIG.to_hugging_face()))
    assert "leave out --heads" in refusal(str(file), "--trust", "--heads", "2")


def test_every_name_of_uer_has_its_place() -> None:
    model = make_model()
    for later in (False, True):
        theirs = uer(model, later=later)
        assert is_uer(theirs) and not is_uer(hugging_face(model))
        named = from_uer(theirs, path=Path("x"))
        decoder = named.pop("cls.predictions.decoder.weight")
        wanted = hugging_face(model)
        assert decoder is wanted["bert.embeddings.word_embeddings.weight"] or torch.equal(
            decoder, wanted["bert.embeddings.word_embeddings.weight"]
        )
        assert named.keys() == wanted.keys()
        assert all(torch.equal(named[name], wanted[name]) for name in wanted)
