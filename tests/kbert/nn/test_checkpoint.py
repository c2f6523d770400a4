from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from kbert.errors import CheckpointError
from kbert.nn.checkpoint import load_encoder, load_weights, read_labels, save
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kbert.nn.heads import Classifier, Tagger
from kbert.nn.visibility import Visibility

pytestmark = pytest.mark.usefixtures("unsealed")  # files are changed on purpose

CONFIG = EncoderConfig(
    vocab_size=30, width=12, layers=2, heads=3, feed_forward=20, max_positions=10, segment_types=2
)
IDS = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 0]])
LABELS = ["O", "B-疾病", "I-疾病"]
Model = Encoder | Classifier | Tagger
MAKERS: list[Callable[[Encoder], Model]] = [
    lambda encoder: encoder,
    lambda encoder: Classifier(encoder, 3),
    lambda encoder: Tagger(encoder, 3),
]


def make(kind: int, *, seed: int) -> Model:
    """Make an encoder, classifier or tagger with every weight away from its first value."""
    model = MAKERS[kind](Encoder(CONFIG)).eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2, generator=draw)
    return model


def outputs(model: Model) -> list[Tensor]:
    with torch.no_grad():
        output = model(
            IDS,
            positions=torch.arange(4).expand(2, 4),
            segments=torch.ones_like(IDS),
            visibility=Visibility.plain([4, 3], length=4),
        )
    return [output] if isinstance(output, Tensor) else [output.hidden, output.pooled]


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Change the tensors of a model folder."""
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors), file, metadata={"format": "pt"})


def rename(old: str, new: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: {name.replace(old, new): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_what_is_saved_loads_as_it_was(kind: int, tmp_path: Path) -> None:
    model = make(kind, seed=1)
    save(model, tmp_path, labels=LABELS if kind else None)
    with torch.device("meta"):
        unloaded = MAKERS[kind](Encoder(EncoderConfig.from_folder(tmp_path))).eval()
    for other in (make(kind, seed=2), unloaded):
        load_weights(other, tmp_path)
        for ours, theirs in zip(outputs(model), outputs(other), strict=True):
            assert torch.equal(ours, theirs)
        flags = [weight.requires_grad for weight in model.parameters()]
        assert [weight.requires_grad for weight in other.parameters()] == flags
    names = ["checksums.json", "config.json", "model.safetensors"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    if kind:
        assert read_labels(tmp_path) == tuple(LABELS)


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [(0, "BertModel"), (1, "BertForSequenceClassification"), (2, "BertForTokenClassification")],
)
def test_transformers_loads_what_we_save(kind: int, architecture: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = make(kind, seed=3)
    save(model, tmp_path, labels=LABELS if kind else None)
    theirs, report = getattr(transformers, architecture).from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report.values()), report
    assert theirs.config.architectures == [architecture]
    with torch.no_grad():
        expected = theirs.eval()(
            input_ids=IDS,
            token_type_ids=torch.ones_like(IDS),
            attention_mask=torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
        )
    others = [expected.logits] if kind else [expected.last_hidden_state, expected.pooler_output]
    for ours, other in zip(outputs(model), others, strict=True):
        if ours.ndim == 3:  # padding is not compared
            ours, other = ours[[0, 0, 1], [0, 3, 2]], other[[0, 0, 1], [0, 3, 2]]
        assert (ours - other).abs().max() <= 1e-5
    if kind:
        assert theirs.config.id2label == dict(enumerate(LABELS))


def test_a_model_of_transformers_with_a_head_gives_its_encoder_and_its_head(
    tmp_path: Path,
) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(**CONFIG.to_hugging_face(), num_labels=3)
    theirs = transformers.BertForTokenClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    tagger = make(2, seed=4)
    load_weights(tagger, tmp_path)
    expected = theirs(input_ids=IDS[:1], token_type_ids=torch.ones_like(IDS[:1])).logits
    assert (outputs(tagger)[0][:1] - expected).abs().max() <= 1e-5
    encoder = load_encoder(tmp_path, add_pooler=True)
    assert torch.equal(encoder.layers[1].expand.weight, tagger.encoder.layers[1].expand.weight)


def test_old_and_prefixed_names_are_read(tmp_path: Path) -> None:
    model = make(0, seed=5)
    save(model, tmp_path)

    def age(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        old = {
            "bert." + name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): t
            for name, t in tensors.items()
        }
        heads = {"cls.predictions.bias": torch.zeros(30), "classifier.weight": torch.zeros(2, 12)}
        buffer = {"bert.embeddings.position_ids": torch.arange(10)[None]}
        return old | heads | buffer | {"qa_outputs.bias": torch.zeros(2)}

    rewrite(tmp_path, age)
    names = load_file(tmp_path / "model.safetensors")
    assert "bert.encoder.layer.1.attention.output.LayerNorm.gamma" in names
    for ours, theirs in zip(outputs(model), outputs(load_encoder(tmp_path).eval()), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_become_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    model = make(0, seed=6)
    save(model, tmp_path)
    rewrite(tmp_path, lambda tensors: {name: t.to(dtype) for name, t in tensors.items()})
    weight = load_encoder(tmp_path).layers[0].expand.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, model.state_dict()["layers.0.expand.weight"].to(dtype).float())


def test_a_module_keeps_its_own_dtype(tmp_path: Path) -> None:
    save(make(0, seed=6), tmp_path)
    double = Encoder(CONFIG).double()
    load_weights(double, tmp_path)
    assert {weight.dtype for weight in double.parameters()} == {torch.float64}


def test_every_name_that_is_wrong_is_refused(tmp_path: Path) -> None:
    model = make(0, seed=7)
    save(model, tmp_path)
    good = (tmp_path / "model.safetensors").read_bytes()
    for name in load_file(tmp_path / "model.safetensors"):
        rewrite(tmp_path, rename(name, name + "x"))
        with pytest.raises(CheckpointError, match=r"1 missing .*1 unexpected") as caught:
            load_encoder(tmp_path)
        assert caught.value.missing == (name,)
        assert caught.value.unexpected == (name + "x",)
        assert "\n" not in str(caught.value)
        (tmp_path / "model.safetensors").write_bytes(good)
    load_encoder(tmp_path)


def test_every_shape_that_is_wrong_is_refused_and_nothing_is_loaded(tmp_path: Path) -> None:
    save(make(0, seed=8), tmp_path)
    good = (tmp_path / "model.safetensors").read_bytes()
    other = make(0, seed=9)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    for name in load_file(tmp_path / "model.safetensors"):
        rewrite(tmp_path, lambda tensors, n=name: tensors | {n: torch.zeros(1, 1, 1)})
        with pytest.raises(CheckpointError, match="1 of another shape") as caught:
            load_weights(other, tmp_path)
        assert caught.value.mismatched == (name,)
        (tmp_path / "model.safetensors").write_bytes(good)
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())


def test_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    save(make(0, seed=8), tmp_path)
    rewrite(tmp_path, lambda tensors: tensors | {"bert.extra.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=r"model: 1 unexpected \(extra\.weight\)$"):
        load_encoder(tmp_path)
    save(make(1, seed=8), tmp_path)
    rewrite(tmp_path, lambda tensors: tensors | {"cls.predictions.bias": torch.zeros(30)})
    with pytest.raises(CheckpointError, match=r"1 unexpected \(cls\.predictions\.bias\)"):
        load_weights(make(1, seed=8), tmp_path)
    load_encoder(tmp_path)


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    save(make(0, seed=8), tmp_path)
    rewrite(tmp_path, lambda tensors: {name: t.to(torch.int8) for name, t in tensors.items()})
    with pytest.raises(CheckpointError, match="of another shape or type"):
        load_encoder(tmp_path)


def test_two_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    save(make(0, seed=8), tmp_path)
    name = "embeddings.LayerNorm."
    rewrite(tmp_path, lambda tensors: tensors | {name + "gamma": torch.ones(12)})
    with pytest.raises(CheckpointError, match=r"embeddings\.LayerNorm\.weight .* two names"):
        load_encoder(tmp_path)


def test_an_encoder_does_not_pass_for_a_classifier(tmp_path: Path) -> None:
    save(make(0, seed=8), tmp_path)
    with pytest.raises(CheckpointError, match=r"2 missing \(classifier\.weight"):
        load_weights(make(1, seed=8), tmp_path)


def test_a_pooler_is_added_only_when_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = make(0, seed=10)
    save(model, tmp_path)
    rewrite(tmp_path, lambda ts: {name: t for name, t in ts.items() if "pooler" not in name})
    with pytest.raises(CheckpointError, match=r"2 missing .*add_pooler") as caught:
        load_encoder(tmp_path)
    assert caught.value.missing == ("pooler.dense.weight", "pooler.dense.bias")
    with caplog.at_level(logging.WARNING):
        first = load_encoder(
            tmp_path, add_pooler=True, generator=torch.Generator().manual_seed(3)
        ).eval()
    assert "no pooler" in caplog.text
    second = Encoder.from_pretrained(
        tmp_path, add_pooler=True, generator=torch.Generator().manual_seed(3)
    )
    assert torch.equal(first.pooler.dense.weight, second.pooler.dense.weight)
    assert first.pooler.dense.weight.any()
    assert torch.equal(outputs(first)[0], outputs(model)[0])


def test_an_existing_pooler_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = make(0, seed=10)
    save(model, tmp_path)
    assert torch.equal(
        outputs(load_encoder(tmp_path, add_pooler=True).eval())[1], outputs(model)[1]
    )
    assert caplog.text == ""


def test_loading_draws_no_random_number(tmp_path: Path) -> None:
    save(make(0, seed=10), tmp_path)
    state = torch.get_rng_state()
    load_encoder(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    save(make(0, seed=11), tmp_path)
    file = tmp_path / "model.safetensors"
    whole = file.read_bytes()
    for size in [*range(0, len(whole), 331), 1, 7, 8, 9, len(whole) - 1]:
        file.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="broken or cut short") as caught:
            load_encoder(tmp_path)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_pickle_file_is_not_opened(tmp_path: Path) -> None:
    save(make(0, seed=11), tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="never pickle: convert"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("on_meta", [True, False])
def test_what_is_loaded_no_longer_depends_on_the_file(on_meta: bool, tmp_path: Path) -> None:
    model = make(0, seed=11)
    save(model, tmp_path)
    with torch.device("meta" if on_meta else "cpu"):
        loaded = Encoder(CONFIG)
    load_weights(loaded, tmp_path)
    file = tmp_path / "model.safetensors"
    with file.open("r+b") as stream:  # in place: the same pages
        stream.write(bytes(file.stat().st_size))
        stream.flush()
        os.fsync(stream.fileno())
    weights = loaded.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_a_save_that_fails_leaves_the_old_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make(0, seed=12)
    save(model, tmp_path)

    def full(_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="cannot be written: No space left"):
        save(make(0, seed=13), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert torch.equal(outputs(load_encoder(tmp_path).eval())[0], outputs(model)[0])


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(make(0, seed=12), tmp_path / "run")


@pytest.mark.parametrize("labels", [["a"], ["a", "b", "a"]])
def test_labels_that_do_not_fit_are_refused(labels: list[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 3 different labels"):
        save(make(1, seed=12), tmp_path, labels=labels)
    with pytest.raises(ValueError, match="no labels"):
        save(make(0, seed=12), tmp_path, labels=labels)
    assert list(tmp_path.iterdir()) == []


def test_labels_without_names_get_those_of_transformers(tmp_path: Path) -> None:
    save(make(1, seed=12), tmp_path)
    assert read_labels(tmp_path) == ("LABEL_0", "LABEL_1", "LABEL_2")
    file = tmp_path / "config.json"
    entries = json.loads(file.read_text())
    for table in (None, {"1": "a"}, {"0": "a", "2": "b"}, ["a"]):
        file.write_text(json.dumps(entries | {"id2label": table}))
        with pytest.raises(CheckpointError, match="id2label"):
            read_labels(tmp_path)
