"""Which weights are trained, at which rate: groups, frozen layers, layers that join."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from kbert.depths import Thaw, depth_of, describe, freeze, parameter_groups, top
from kbert.errors import SettingsError
from kbert.examples import TextExample
from kbert.inject import Injector
from kbert.keeper import Keeper, Keeping
from kbert.module import FineTuning
from kbert.nn import Classifier, Encoder, EncoderConfig, Tagger
from kbert.schedules import Schedule, rate_factor
from kbert.settings import TrainSettings
from kbert.tasks import Classification
from kbert.tokenizer import Tokenizer
from kbert.trainer import Loop

LAYERS = 3
TEXTS = ["我爱北京", "苹果", "我在上海吃苹果", "去", "哈哈哈", "我爱吃"]


def encoder(*, layers: int = LAYERS, vocab_size: int = 9) -> Encoder:
    config = EncoderConfig(vocab_size=vocab_size, width=8, layers=layers, heads=2, feed_forward=8)
    return Encoder(config, generator=torch.Generator().manual_seed(1))


def classifier(**options: int) -> Classifier:
    return Classifier(encoder(**options), 2, generator=torch.Generator().manual_seed(2))


def groups(network: torch.nn.Module, decay: float = 1.0) -> list[dict[str, Any]]:
    return parameter_groups(network, learning_rate=0.5, weight_decay=0.25, layer_decay=decay)


def test_depths_count_from_the_embeddings_to_the_head() -> None:
    network = classifier()
    assert top(network) == LAYERS + 1
    depths = {name: depth_of(name, top=4) for name, _ in network.named_parameters()}
    assert depths["encoder.embeddings.norm.bias"] == 0
    assert depths["encoder.layers.0.expand.weight"] == 1
    assert depths["encoder.layers.2.attention.query.bias"] == 3
    assert depths["encoder.pooler.dense.weight"] == depths["classifier.bias"] == 4
    assert depth_of("encoder.layers.11.expand.weight", top=13) == 12


@pytest.mark.parametrize("decay", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("head", [Classifier, Tagger])
def test_each_trained_weight_is_in_one_group(head: type[Classifier | Tagger], decay: float) -> None:
    network = head(encoder(), 2)
    freeze(network, layers=1)
    found = [id(p) for group in groups(network, decay) for p in group["params"]]
    trained = {id(p) for p in network.parameters() if p.requires_grad}
    assert len(found) == len(set(found)) and set(found) == trained
    frozen = sum(not p.requires_grad for p in network.parameters())
    assert frozen == 5 + 16 + (2 if head is Tagger else 0)


def test_each_group_has_the_rate_of_its_depth_and_only_matrices_decay() -> None:
    network = classifier()
    names = {id(p): name for name, p in network.named_parameters()}
    for group in groups(network, 0.5):
        for p in group["params"]:
            name = names[id(p)]
            assert group["lr"] == 0.5 * 0.5 ** (4 - depth_of(name, top=4))
            steady = "norm" in name or name.endswith("bias")
            assert group["weight_decay"] == (0.0 if steady else 0.25)
    assert len(groups(network, 0.5)) == 2 * (LAYERS + 2)


def test_without_layer_decay_the_groups_are_those_of_before() -> None:
    network = classifier()
    parameters = list(network.parameters())
    decaying, steady = groups(network)
    for group, wanted in ((decaying, lambda p: p.ndim > 1), (steady, lambda p: p.ndim < 2)):
        expected = [id(p) for p in parameters if wanted(p)]
        assert [id(p) for p in group["params"]] == expected
        assert group["lr"] == 0.5


def test_more_layers_than_there_are_cannot_be_frozen() -> None:
    with pytest.raises(SettingsError, match="--freeze-layers 4: the encoder has only 3 layers"):
        freeze(classifier(), layers=4)


@given(layers=st.integers(1, 5), epochs=st.integers(1, 3), epoch=st.integers(0, 30))
def test_one_depth_more_is_trained_each_time(layers: int, epochs: int, epoch: int) -> None:
    network = classifier(layers=layers)
    thaw = Thaw(network, epochs=epochs)
    thaw.apply(epoch)
    joined = min(layers + 1, epoch // epochs)
    assert thaw.lowest(epoch) == layers + 1 - joined
    for name, parameter in network.named_parameters():
        depth = depth_of(name, top=layers + 1)
        assert parameter.requires_grad == (depth >= layers + 1 - joined)
    said = describe(
        freeze_layers=None, unfreeze_epochs=epochs, layer_decay=1.0, epochs=epoch + 1, layers=layers
    )
    assert said.startswith(f"in {epoch + 1} epochs {joined} of {layers + 1} layers")


def test_dropped_gradients_are_those_of_frozen_layers() -> None:
    network = classifier()
    thaw = Thaw(network, epochs=2)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    thaw.drop_gradients(5)
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == (depth_of(name, top=4) >= 2)


@pytest.mark.parametrize(
    ("frozen", "unfreeze", "decay", "said"),
    [
        (None, 0, 1.0, ""),
        (4, 2, 1.0, "the embeddings and 4 of 12 layers are frozen; in 9 epochs 4 of 8 layers join"
         " the head"),
        (None, 1, 1.0, "in 9 epochs 8 of 13 layers, the embeddings being the last, join the head"),
        (None, 0, 0.5, "layer 1 has 0.00024 of the head's rate, layer 12 0.5"),
    ],
)  # fmt: skip
def test_what_is_said(frozen: int | None, unfreeze: int, decay: float, said: str) -> None:
    given: dict[str, Any] = {"freeze_layers": frozen, "unfreeze_epochs": unfreeze}
    assert describe(**given, layer_decay=decay, epochs=9, layers=12) == said


class Scene:
    """A training of a tiny network, and its weights after each epoch."""

    def __init__(self, tokenizer: Tokenizer, store: TripleStore, folder: Any, **settings: Any):
        self.network = classifier(vocab_size=len(tokenizer))
        task = Classification(("a", "b"))
        inject = Injector(store, tokenizer)
        examples = [TextExample(t, None, "ab"[i % 2], f"f:{i}") for i, t in enumerate(TEXTS)]
        encoded = [task.encode(example, inject) for example in examples]
        self.weights = [self.copy()]
        chosen = TrainSettings(accelerator="cpu", batch_tokens=16, **settings)
        loop = Loop(
            chosen, task=task, pad_id=tokenizer.pad_id,
            keeper=Keeper(folder, command="kbert.train", about={}, keeping=Keeping()),
            save=lambda: self.weights.append(self.copy()),
        )  # fmt: skip
        freeze(self.network, layers=chosen.freeze_layers)
        self.steps = loop.steps(encoded)
        self.module = loop.fit(
            self.network, encoded, [], learning_rate=0.01, total_steps=self.steps
        )

    def copy(self) -> dict[str, torch.Tensor]:
        return {name: p.detach().clone() for name, p in self.network.named_parameters()}

    def moved(self, epoch: int) -> set[int]:
        """Return the depths of which some weight changed in an epoch (from 0)."""
        before, after = self.weights[epoch : epoch + 2]
        return {
            depth_of(name, top=LAYERS + 1)
            for name in before
            if not torch.equal(before[name], after[name])
        }


@pytest.fixture
def fit(tiny_tokenizer: Tokenizer, tiny_store: TripleStore, tmp_path: Any) -> Any:
    return lambda **settings: Scene(tiny_tokenizer, tiny_store, tmp_path, **settings)


@pytest.mark.parametrize(
    ("settings", "moved"),
    [
        ({}, [{0, 1, 2, 3, 4}] * 2),
        ({"freeze_layers": 0}, [{1, 2, 3, 4}] * 2),
        ({"freeze_layers": 2, "layer_decay": 0.9}, [{3, 4}] * 2),
        ({"freeze_layers": 3}, [{4}] * 2),
        ({"layer_decay": 0.0}, [{4}] * 2),
        ({"unfreeze_epochs": 1}, [{4}, {3, 4}, {2, 3, 4}, {1, 2, 3, 4}, {0, 1, 2, 3, 4}]),
        ({"unfreeze_epochs": 2}, [{4}, {4}, {3, 4}, {3, 4}, {2, 3, 4}]),
        ({"unfreeze_epochs": 1, "freeze_layers": 2}, [{4}, {3, 4}, {3, 4}]),
    ],
)
def test_training_moves_what_it_should(fit: Any, settings: Any, moved: list[set[int]]) -> None:
    made = fit(epochs=len(moved), schedule="constant", warmup=0.0, **settings)
    assert [made.moved(epoch) for epoch in range(len(moved))] == moved


def module(**options: Any) -> FineTuning:
    return FineTuning(
        classifier(), Classification(("a", "b")), learning_rate=0.01, weight_decay=0.0, clip=0.0,
        warmup_steps=0, total_steps=10, seed=1, **options,
    )  # fmt: skip


def test_a_layer_moves_by_its_rate() -> None:
    """Adam's first step is the rate itself, whatever the gradient."""
    tuned = module(layer_decay=0.5, schedule="constant")
    before = {name: p.detach().clone() for name, p in tuned.network.named_parameters()}
    optimiser: Any = tuned.configure_optimizers()
    for parameter in tuned.network.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    optimiser.step()
    for name, parameter in tuned.network.named_parameters():
        moved = (before[name] - parameter.detach()).mean()
        assert float(moved) == pytest.approx(0.01 * 0.5 ** (4 - depth_of(name, top=4)), rel=1e-3)


@pytest.mark.parametrize("schedule", ["linear", "slanted", "cosine", "constant"])
def test_the_schedule_that_is_set_is_followed(fit: Any, schedule: Schedule) -> None:
    made = fit(epochs=2, schedule=schedule, warmup=0.25)
    total = made.steps
    for step in range(total):
        expected = rate_factor(schedule, step, warmup=round(total * 0.25), total=total)
        assert made.module.rate_factor(step) == expected


def test_the_defaults_give_the_weights_of_the_plain_optimiser(
    fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit what two groups and a straight line give, as written before there were others."""

    def plain(self: FineTuning) -> Any:
        trained = [p for p in self.network.parameters() if p.requires_grad]
        chosen = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self._decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._peaks = [self._rate] * 2
        return torch.optim.AdamW(chosen, lr=self._rate, fused=True)

    def factor(self: FineTuning, step: int) -> float:
        if step < self._warmup:
            return (step + 1) / self._warmup
        return max(0.0, (self._total - step) / max(1, self._total - self._warmup))

    def trained() -> dict[str, torch.Tensor]:
        final: dict[str, torch.Tensor] = fit(epochs=3).weights[-1]
        return final

    now = trained()
    monkeypatch.setattr(FineTuning, "configure_optimizers", plain)
    monkeypatch.setattr(FineTuning, "rate_factor", factor)
    before = trained()
    assert all(torch.equal(now[name], before[name]) for name in before)
    assert not torch.equal(now["classifier.weight"], fit(epochs=2).weights[-1]["classifier.weight"])
