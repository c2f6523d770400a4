from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear

from kbert.errors import CheckpointError
from kbert.nn import Encoder, EncoderConfig, LanguageModel, Visibility
from kbert.nn.checkpoint import load_language_model, load_weights, read_labels, save
from kbert.nn.pretraining_heads import BoundaryHead, PretrainingLogits

pytestmark = pytest.mark.usefixtures("unsealed")  # files are changed on purpose

CONFIG = EncoderConfig(
    vocab_size=30, width=12, layers=2, heads=3, feed_forward=20, max_positions=10, segment_types=2
)
IDS = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 0]])
TEXT = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
HEADS = [(0, 0), (2, 0), (3, 0), (0, 5), (2, 5)]
Tensors = dict[str, Tensor]


def make(relation: int = 2, boundary: int = 0, *, seed: int = 1) -> LanguageModel:
    """Make a language model with every weight away from its first value."""
    model = LanguageModel(Encoder(CONFIG), relation_labels=relation, boundary_positions=boundary)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2, generator=draw)
    return model.eval()


@torch.no_grad()
def run(model: torch.nn.Module) -> Any:
    return model(
        IDS,
        positions=torch.arange(4).expand(2, 4),
        segments=torch.ones_like(IDS),
        visibility=Visibility.plain([4, 3], length=4),
    )


@torch.no_grad()
def run_theirs(model: Any) -> Any:
    return model.eval()(
        input_ids=IDS, token_type_ids=torch.ones_like(IDS), attention_mask=TEXT
    )  # fmt: skip


def assert_close(ours: PretrainingLogits, theirs: Any) -> None:
    tokens = theirs.prediction_logits if "prediction_logits" in theirs else theirs.logits
    assert (ours.tokens - tokens)[TEXT.bool()].abs().max() <= 1e-5  # padding is not compared
    if "seq_relationship_logits" in theirs:
        assert ours.relation is not None
        assert (ours.relation - theirs.seq_relationship_logits).abs().max() <= 1e-5


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    """Change the tensors of a model folder."""
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors), file, metadata={"format": "pt"})


@pytest.mark.parametrize("architecture", ["BertForPreTraining", "BertForMaskedLM"])
def test_a_model_of_transformers_gives_its_logits(architecture: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = getattr(transformers, architecture)(
        transformers.BertConfig(**CONFIG.to_hugging_face())
    )
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.normal_(std=0.2, generator=draw)
    theirs.save_pretrained(tmp_path)
    ours = load_language_model(tmp_path).eval()
    assert (ours.relation is None) == (architecture == "BertForMaskedLM")
    assert_close(run(ours), run_theirs(theirs))


@pytest.mark.parametrize(
    ("relation", "architecture"),
    [(0, "BertForMaskedLM"), (2, "BertForPreTraining"), (3, "BertForMaskedLM")],
)
def test_transformers_loads_what_we_save(relation: int, architecture: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = make(relation)
    save(model, tmp_path)
    theirs, report = getattr(transformers, architecture).from_pretrained(
        tmp_path, output_loading_info=True
    )
    unknown = {
        "bert.pooler.dense.bias", "bert.pooler.dense.weight",
        "cls.seq_relationship.bias", "cls.seq_relationship.weight",
    }  # fmt: skip
    assert report.pop("unexpected_keys") == (unknown if relation == 3 else set())
    assert not any(report.values()), report
    assert theirs.config.architectures == [architecture]
    assert_close(run(model), run_theirs(theirs))


def test_transformers_does_not_take_three_relations_for_two(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    save(make(3), tmp_path)
    with pytest.raises(RuntimeError, match="mismatch"):
        transformers.BertForPreTraining.from_pretrained(tmp_path)


@pytest.mark.parametrize(("relation", "boundary"), HEADS)
def test_what_is_saved_loads_as_it_was(relation: int, boundary: int, tmp_path: Path) -> None:
    model = make(relation, boundary)
    labels = ["next", "random", "previous"][:relation] or None
    save(model, tmp_path, labels=labels)
    loaded = load_language_model(tmp_path)
    if labels:
        assert read_labels(tmp_path) == tuple(labels)
    weights = loaded.state_dict()
    unused = () if relation else ("encoder.pooler.dense.weight", "encoder.pooler.dense.bias")
    for name, tensor in model.state_dict().items():
        assert torch.equal(weights[name], tensor) or name in unused
    assert weights.keys() == model.state_dict().keys()
    flags = {name: weight.requires_grad for name, weight in model.named_parameters()}
    assert {name: weight.requires_grad for name, weight in loaded.named_parameters()} == flags
    assert [name for name, flag in flags.items() if not flag] == list(unused)
    encoder = Encoder.from_pretrained(tmp_path, add_pooler=not relation).eval()
    assert torch.equal(run(encoder).hidden, run(model.encoder).hidden)


def test_a_model_without_relation_has_no_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no labels"):
        save(make(0), tmp_path, labels=["a", "b"])
    with pytest.raises(ValueError, match="expected 2 different labels"):
        save(make(2), tmp_path, labels=["a", "b", "c"])


def test_old_names_and_copies_of_tied_weights_are_read(tmp_path: Path) -> None:
    model = make()
    save(model, tmp_path)

    def age(tensors: Tensors) -> Tensors:
        old = {
            name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): tensor
            for name, tensor in tensors.items()
        }
        table = tensors["bert.embeddings.word_embeddings.weight"]
        # The oldest writers keep both names of the bias, others the decoder's alone.
        bias = old.pop("cls.predictions.bias")
        return old | {
            "cls.predictions.decoder.weight": table.clone(),
            "cls.predictions.decoder.bias": bias,
        }

    rewrite(tmp_path, age)
    names = load_file(tmp_path / "model.safetensors")
    assert "cls.predictions.transform.LayerNorm.gamma" in names
    assert_same(load_language_model(tmp_path), model)
    rewrite(tmp_path, lambda ts: ts | {"cls.predictions.bias": model.tokens.bias.detach()})
    assert_same(load_language_model(tmp_path), model)


def assert_same(first: LanguageModel, second: LanguageModel) -> None:
    weights = second.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in first.state_dict().items())


@pytest.mark.parametrize("leaf", ["weight", "bias"])
def test_a_decoder_of_its_own_is_refused(leaf: str, tmp_path: Path) -> None:
    model = make()
    save(model, tmp_path)
    other = torch.zeros(30, 12) if leaf == "weight" else torch.zeros(30)
    rewrite(tmp_path, lambda tensors: tensors | {f"cls.predictions.decoder.{leaf}": other})
    with pytest.raises(CheckpointError, match=rf"decoder\.{leaf} differs .* tied") as caught:
        load_language_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_every_name_of_a_head_that_is_wrong_is_refused(tmp_path: Path) -> None:
    save(make(2, 5), tmp_path)
    good = (tmp_path / "model.safetensors").read_bytes()
    heads = [name for name in load_file(tmp_path / "model.safetensors") if name.startswith("cls.")]
    assert len(heads) == 5 + 2 + 10
    for name in heads:
        rewrite(tmp_path, lambda tensors, n=name: {k: t for k, t in tensors.items() if k != n})
        with pytest.raises(CheckpointError, match="1 missing") as caught:
            load_weights(make(2, 5), tmp_path)
        assert caught.value.missing == (name,)
        (tmp_path / "model.safetensors").write_bytes(good)


@pytest.mark.parametrize("bias", [torch.zeros(1), torch.zeros(1, 2)])
def test_a_relation_head_that_tells_nothing_apart_is_refused(bias: Tensor, tmp_path: Path) -> None:
    save(make(), tmp_path)
    rewrite(tmp_path, lambda tensors: tensors | {"cls.seq_relationship.bias": bias})
    with pytest.raises(CheckpointError, match=r"seq_relationship\.bias has shape"):
        load_language_model(tmp_path)


def test_a_bare_encoder_has_no_head_to_load(tmp_path: Path) -> None:
    save(make().encoder, tmp_path)
    with pytest.raises(CheckpointError, match=r"5 missing \(cls\.predictions"):
        load_language_model(tmp_path)


@pytest.mark.parametrize(("relation", "boundary"), HEADS)
@pytest.mark.parametrize(("old_relation", "old_boundary"), HEADS)
def test_heads_are_changed_only_when_asked_for(
    relation: int,
    boundary: int,
    old_relation: int,
    old_boundary: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = make(old_relation, old_boundary, seed=1)
    save(old, tmp_path)
    new, fresh = make(relation, boundary, seed=2), make(relation, boundary, seed=2)
    same = (relation, boundary) == (old_relation, old_boundary)
    if not same:
        with pytest.raises(CheckpointError, match="do not fit"):
            load_weights(new, tmp_path, add_pooler=True)
        assert_same(new, fresh)
    assert "head of" not in caplog.text
    with caplog.at_level(logging.WARNING):
        load_weights(new, tmp_path, add_pooler=True, change_heads=True)
    kept = {"relation": relation != old_relation, "boundary": boundary != old_boundary}
    for name, tensor in new.state_dict().items():
        if "pooler" not in name:
            source = fresh if kept.get(name.split(".")[0], False) else old
            assert torch.equal(tensor, source.state_dict()[name]), name
    assert ("relation head" in caplog.text) == bool(kept["relation"] and relation)
    assert ("boundary head" in caplog.text) == bool(kept["boundary"] and boundary)


def test_a_head_without_weights_is_not_put_in(tmp_path: Path) -> None:
    save(make(0), tmp_path)
    with torch.device("meta"):
        model = LanguageModel(Encoder(CONFIG), relation_labels=2)
    with pytest.raises(ValueError, match="relation head has no weights"):
        load_weights(model, tmp_path, add_pooler=True, change_heads=True)


@pytest.mark.parametrize(
    ("relation", "vocab_size", "expected"),
    [(2, 30522, 110_106_428), (0, 30522, 109_514_298)],
)
def test_the_number_of_weights_is_that_of_bert_base(
    relation: int, vocab_size: int, expected: int
) -> None:
    with torch.device("meta"):
        model = LanguageModel(
            Encoder(EncoderConfig(vocab_size=vocab_size)), relation_labels=relation
        )
    # Without relation the pooler is frozen, and no part of what transformers counts.
    assert sum(w.numel() for w in model.parameters() if w.requires_grad) == expected


def test_fresh_heads_come_from_their_generator() -> None:
    state = torch.get_rng_state()
    encoder = Encoder(CONFIG, generator=torch.Generator().manual_seed(0))
    first, second, other = (
        LanguageModel(
            encoder, relation_labels=2, boundary_positions=5,
            generator=torch.Generator().manual_seed(seed),
        )
        for seed in (1, 1, 2)
    )  # fmt: skip
    assert torch.equal(torch.get_rng_state(), state)
    assert_same(first, second)
    changed = {
        name
        for name, tensor in first.state_dict().items()
        if not torch.equal(tensor, other.state_dict()[name])
    }
    assert changed == {
        "tokens.dense.weight", "relation.weight", "boundary.offset.weight",
        "boundary.first.weight", "boundary.second.weight",
    }  # fmt: skip
    for name, tensor in first.state_dict().items():
        if name.endswith("bias"):
            assert not tensor.any(), name


def test_the_boundary_head_is_two_layers_over_both_sides_and_the_place() -> None:
    model = make(0, 5)
    head = model.boundary
    assert isinstance(head, BoundaryHead)
    draw = torch.Generator().manual_seed(3)
    left, right = torch.randn(2, 4, 12, generator=draw)
    offsets = torch.tensor([0, 4, 2, 2])
    with torch.no_grad():
        received = model.fill_spans(left, right, offsets=offsets)
        for k in range(4):
            place = head.offset.weight[offsets[k]]
            assert place.shape == (200,)
            state = torch.cat([left[k], right[k], place])
            for dense, norm in ((head.first, head.first_norm), (head.second, head.second_norm)):
                state = gelu(dense.weight @ state + dense.bias)
                state = layer_norm(state, (12,), norm.weight, norm.bias, 1e-12)
            expected = linear(state, model.encoder.embeddings.word.weight) + head.bias
            torch.testing.assert_close(received[k], expected)


def test_heads_that_are_not_there_cannot_be_used() -> None:
    model = make(0, 0)
    state = torch.zeros(1, 12)
    with pytest.raises(ValueError, match="no relation head"):
        model.relate(state)
    with pytest.raises(ValueError, match="no boundary head"):
        model.fill_spans(state, state, offsets=torch.zeros(1, dtype=torch.int64))
    assert run(model).relation is None


@pytest.mark.parametrize(("relation", "boundary"), [(1, 0), (-2, 0), (2, -1)])
def test_sizes_that_make_no_head_are_refused(relation: int, boundary: int) -> None:
    with pytest.raises(ValueError, match="at least two labels"):
        make(relation, boundary)
