"""The training loop: plans, schedule, the best epoch, and what Lightning may leave behind."""

from __future__ import annotations

import logging
import math
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from kbert.core import Portion
from kbert.devices import check_devices
from kbert.errors import Diverged, SettingsError
from kbert.examples import TextExample
from kbert.inject import Injector
from kbert.keeper import Keeper, Keeping
from kbert.module import FineTuning
from kbert.nn import Classifier, Encoder, EncoderConfig
from kbert.plans import (
    Share,
    Steps,
    evaluation_plan,
    lengths,
    padding_share,
    step_seed,
    training_plan,
)
from kbert.settings import TrainSettings
from kbert.tasks import Classification, Encoded
from kbert.tokenizer import Tokenizer
from kbert.trainer import Loop

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=40)
TEXTS = ["我爱北京", "苹果", "我在上海吃苹果", "去", "哈哈哈", "我爱吃"]


@given(sizes=LENGTHS)
def test_lengths_are_those_of_the_trees(sizes: list[int]) -> None:
    nothing = np.empty(0, dtype=np.int32)
    trees = [Encoded(np.zeros((6, n), dtype=np.int32), (0,), nothing, 0, 0, 0) for n in sizes]
    assert lengths(trees) == sizes


@given(sizes=LENGTHS, world=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_processes_share_an_epoch_and_leave_nothing_out(
    sizes: list[int], world: int, seed: int
) -> None:
    def plans(epoch: int, world: int) -> list[list[tuple[int, ...]]]:
        return [
            training_plan(sizes, max_tokens=64, seed=seed, epoch=epoch, share=Share(rank, world))
            for rank in range(world)
        ]

    shares = plans(3, world)
    assert len({len(share) for share in shares}) == 1
    (alone,) = plans(3, 1)
    taken = [batch for share in shares for batch in share]
    assert sorted({*taken}) == sorted(alone)
    assert len(taken) - len(alone) < world
    assert sorted(i for batch in alone for i in batch) == list(range(len(sizes)))
    assert all(len(b) == 1 or len(b) * max(sizes[i] for i in b) <= 64 for b in alone)
    assert plans(3, world) == shares


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    keys = [(1, 0), (1, 1), (2, 0), (0, 0)]
    plans = [
        training_plan([5] * 100, max_tokens=10, seed=seed, epoch=epoch, share=Share(0, 1))
        for seed, epoch in keys
    ]
    assert all(a != b for i, a in enumerate(plans) for b in plans[:i])


@given(sizes=LENGTHS, world=st.integers(1, 5))
def test_evaluation_takes_each_example_and_gives_each_process_a_batch(
    sizes: list[int], world: int
) -> None:
    shares = [
        evaluation_plan(sizes, max_tokens=32, share=Share(rank, world)) for rank in range(world)
    ]
    assert all(shares)
    taken = sorted(i for share in shares for batch in share for i in batch)
    assert sorted({*taken}) == list(range(len(sizes)))
    assert len(taken) == max(len(sizes), world)
    for share in shares:
        order = [sizes[i] for batch in share for i in batch]
        assert order == sorted(order, reverse=True)


def test_the_share_of_padding() -> None:
    plan = [(0, 1), (2,)]  # slots: 2 x 4 and 1 x 3; tokens: 4 + 1 and 3
    assert padding_share([4, 1, 3], plan) == pytest.approx(3 / 11)


def test_each_seed_step_and_process_has_dropout_of_its_own() -> None:
    keys = [(seed, step, rank) for seed in range(9) for step in range(9) for rank in range(4)]
    seeds = [step_seed(seed, step=step, rank=rank) for seed, step, rank in keys]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [step_seed(seed, step=step, rank=rank) for seed, step, rank in keys]
    torch.manual_seed(max(seeds))  # it takes numbers of that size


def test_the_rate_rises_then_falls_to_zero() -> None:
    module = bare_module(warmup_steps=4, total_steps=10)
    rates = [module.rate_factor(step) for step in range(11)]
    assert rates == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, *(n / 6 for n in range(6, -1, -1))])
    without = bare_module(warmup_steps=0, total_steps=4)
    assert [without.rate_factor(step) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    always = bare_module(warmup_steps=2, total_steps=2)
    assert [always.rate_factor(step) for step in range(3)] == [0.5, 1.0, 0.0]


def bare_module(**options: Any) -> FineTuning:
    config = EncoderConfig(vocab_size=8, width=8, layers=1, heads=2, feed_forward=8)
    network = Classifier(Encoder(config, generator=torch.Generator()), 2)
    chosen: dict[str, Any] = {"warmup_steps": 1, "total_steps": 2, "clip": 1.0, "seed": 1} | options
    task = Classification(("a", "b"))
    return FineTuning(network, task, learning_rate=0.1, weight_decay=0.5, **chosen)


def test_biases_and_layer_norms_do_not_decay() -> None:
    module = bare_module()
    optimiser: Any = module.configure_optimizers()
    decaying, steady = optimiser.param_groups
    assert (decaying["weight_decay"], steady["weight_decay"]) == (0.5, 0.0)
    names = {id(p): name for name, p in module.network.named_parameters()}
    assert sorted(names[id(p)] for p in steady["params"]) == sorted(
        name for name in names.values() if "norm" in name or name.endswith("bias")
    )
    assert len(decaying["params"]) + len(steady["params"]) == len(names)


@pytest.mark.parametrize(("clip", "norm"), [(1.0, 1.0), (0.0, 30.0), (100.0, 30.0)])
def test_the_gradient_is_clipped_by_its_norm(clip: float, norm: float) -> None:
    module = bare_module(clip=clip)
    count = sum(p.numel() for p in module.network.parameters())
    for parameter in module.network.parameters():
        parameter.grad = torch.full_like(parameter, 30.0 / math.sqrt(count))
    assert float(module.limit_gradients()) == pytest.approx(30.0, rel=1e-4)
    grads = [p.grad.flatten() for p in module.network.parameters() if p.grad is not None]
    assert float(torch.cat(grads).norm()) == pytest.approx(norm, rel=1e-4)


@dataclass(frozen=True, slots=True)
class Staged(Classification):
    """Classification whose scores were written beforehand."""

    stage: ClassVar[Iterator[float]]

    def score(self, gold: object, predicted: object) -> dict[str, float]:
        return {"accuracy": next(Staged.stage)}


class Scene:
    """A loop with a tiny network, and the epochs whose weights were saved."""

    def __init__(
        self, tokenizer: Tokenizer, store: TripleStore, folder: Path, **settings: Any
    ) -> None:
        config = EncoderConfig(
            vocab_size=len(tokenizer), width=8, layers=1, heads=2, feed_forward=8
        )
        generator = torch.Generator().manual_seed(1)
        self.network = Classifier(Encoder(config, generator=generator), 2, generator=generator)
        self.task: Classification = Staged(("a", "b"))
        inject = Injector(store, tokenizer)
        examples = [TextExample(t, None, "ab"[i % 2], f"f:{i}") for i, t in enumerate(TEXTS)]
        self.encoded = [self.task.encode(example, inject) for example in examples]
        self.saved: list[int] = []
        chosen: dict[str, Any] = {"accelerator": "cpu", "batch_tokens": 16} | settings
        self.loop = Loop(
            TrainSettings(**chosen),
            task=self.task,
            pad_id=tokenizer.pad_id,
            keeper=Keeper(folder, command="kbert.train", about={}, keeping=Keeping()),
            save=lambda: self.saved.append(len(self.loop.epochs)),
        )

    def fit(self, *, dev: bool = True) -> FineTuning:
        encoded = self.encoded if dev else []
        steps = self.loop.steps(self.encoded)
        return self.loop.fit(
            self.network, self.encoded, encoded, learning_rate=0.01, total_steps=steps
        )


@pytest.fixture
def scene(tiny_tokenizer: Tokenizer, tiny_store: TripleStore, tmp_path: Path) -> Any:
    return lambda **settings: Scene(tiny_tokenizer, tiny_store, tmp_path, **settings)


@pytest.mark.parametrize(
    ("scores", "saved"),
    [
        ([0.1, 0.5, 0.5, 0.3], [1, 2]),
        ([0.4, 0.3, 0.2, 0.1], [1]),
        ([0.0, 0.1, 0.2, 0.3], [1, 2, 3, 4]),
        ([0.0, 0.0, 0.0, 0.0], [1, 2, 3, 4]),  # zeros tell nothing: the longest training
        ([0.0, 0.0, 0.2, 0.0], [1, 2, 3]),
    ],
)
def test_the_best_epoch_is_kept_the_first_of_equals(
    scene: Any, scores: list[float], saved: list[int]
) -> None:
    Staged.stage = iter(scores)
    made = scene(epochs=4)
    made.fit()
    assert made.saved == saved
    assert made.loop.best + 1 == saved[-1]
    assert [epoch.scores["accuracy"] for epoch in made.loop.epochs] == scores
    assert [epoch.number for epoch in made.loop.epochs] == [1, 2, 3, 4]


def test_without_a_dev_set_the_last_epoch_is_kept(scene: Any) -> None:
    made = scene(epochs=3)
    made.fit(dev=False)
    assert made.saved == [1, 2, 3] and made.loop.best == 2
    assert [epoch.scores for epoch in made.loop.epochs] == [{}, {}, {}]
    assert all(math.isfinite(epoch.loss) for epoch in made.loop.epochs)


def test_predictions_come_in_the_order_of_the_examples(scene: Any) -> None:
    Staged.stage = iter([0.5] * 31)
    made = scene(epochs=30)
    module = made.fit()
    made.loop.evaluate(module, made.encoded)
    made.network.eval()
    expected = []
    for number in range(len(TEXTS)):
        step = Steps(made.encoded, [(number,)], task=made.task, pad_id=made.loop.pad_id)[0]
        expected.append((int(module(step.inputs).argmax()),))
    assert module.predictions == expected
    by_length = sorted(range(len(TEXTS)), key=lambda i: -made.encoded[i].array.shape[1])
    assert expected != [expected[i] for i in by_length]  # the order in which they were evaluated


def test_steps_are_counted_before_training(scene: Any) -> None:
    made = scene(epochs=3)
    made.fit(dev=False)
    assert made.loop.steps(made.encoded) == made.loop.processes.trainer.global_step > 3


def test_an_epoch_is_planned_when_it_starts(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene(epochs=3)
    steps = made.loop.steps(made.encoded)
    seen: list[tuple[int, int]] = []
    thin = made.loop.thinned

    def watched(encoded: Any, epoch: int) -> Any:
        seen.append((epoch, made.loop.processes.trainer.global_step))
        return thin(encoded, epoch)

    monkeypatch.setattr(made.loop, "thinned", watched)
    made.loop.fit(made.network, made.encoded, [], learning_rate=0.01, total_steps=steps)
    per_epoch = steps // 3
    assert seen == [(0, 0), (1, per_epoch), (2, 2 * per_epoch)]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("every", [1, 2, 100])
def test_a_loss_that_is_no_number_stops_the_training(
    scene: Any, monkeypatch: pytest.MonkeyPatch, bad: float, every: int
) -> None:
    portion = FineTuning.portion

    def diverging(self: FineTuning, part: Any, whole: Any) -> Any:
        found = portion(self, part, whole)
        if self.steps_done == per_epoch + 2:
            return found._replace(figures=torch.tensor([bad]))
        return found

    monkeypatch.setattr(FineTuning, "portion", diverging)
    monkeypatch.setattr("kbert.driver._READ_EVERY", every)
    made = scene(epochs=3)
    per_epoch = made.loop.steps(made.encoded) // 3
    assert per_epoch > 3
    with pytest.raises(Diverged) as caught:
        made.fit(dev=False)
    looked = min(per_epoch, {1: 3, 2: 4, 100: 100}[every])
    assert made.loop.processes.trainer.global_step == per_epoch + looked
    named = made.loop.plan(lengths(made.encoded), 1)[2]
    examples = ", ".join(f"example {i + 1}" for i in sorted(named))
    assert str(caught.value) == (
        f"the training diverged in epoch 2/3, step 3 (loss {bad}, on {examples}); lower"
        " --learning-rate"
    )
    assert made.saved == [1]


@pytest.mark.parametrize("clip", [1.0, 0.0])
def test_a_gradient_that_is_no_number_stops_the_training(
    scene: Any, monkeypatch: pytest.MonkeyPatch, clip: float
) -> None:
    """After the last step no loss would tell; with and without a limit of the norm."""
    made = scene(epochs=1, clip=clip)
    last = made.loop.steps(made.encoded) - 1
    portion = FineTuning.portion

    def spoil(self: FineTuning, part: Any, whole: Any) -> Any:
        if self.steps_done == last:
            next(made.network.parameters()).register_hook(lambda g: g * torch.nan)
        return portion(self, part, whole)

    monkeypatch.setattr(FineTuning, "portion", spoil)
    with pytest.raises(Diverged, match=rf"step {last + 1} \(gradient norm nan, on example"):
        made.fit(dev=False)
    assert made.saved == []


def test_weights_that_are_no_numbers_stop_the_training(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where neither loss nor gradient tells."""
    made = scene(epochs=1)
    limit = FineTuning.limit_gradients

    def spoil(self: FineTuning) -> torch.Tensor:
        norm = limit(self)
        next(self.parameters()).grad.fill_(math.nan)  # type: ignore[union-attr]
        return norm

    monkeypatch.setattr(FineTuning, "limit_gradients", spoil)
    monkeypatch.setattr(FineTuning, "portion", constant_loss)
    with pytest.raises(Diverged, match=r"step \d+ \(weights are no numbers\); lower"):
        made.fit(dev=False)
    assert made.saved == []


def constant_loss(self: FineTuning, part: Any, whole: Any) -> Portion:
    """Return a loss that weights do not change, and a gradient all the same."""
    total = sum((p.nan_to_num() * 0.0).sum() for p in self.parameters())
    assert isinstance(total, torch.Tensor)
    return Portion(total, torch.zeros(1))


def test_facts_are_left_out_in_training_alone(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Staged.stage = iter([0.5] * 5)
    read: dict[str, list[int]] = {"training_step": [], "test_step": []}

    def watch(name: str) -> None:
        step = getattr(FineTuning, name)

        def watched(self: FineTuning, batch: Any, index: int) -> Any:
            read[name].append(int(batch.inputs.lengths.sum()))
            return step(self, batch, index)

        monkeypatch.setattr(FineTuning, name, watched)

    for name in read:
        watch(name)
    made = scene(epochs=4, fact_dropout=0.5)
    full = sum(example.array.shape[1] for example in made.encoded)
    bare = sum(int(example.array[5].sum()) for example in made.encoded)
    made.loop.evaluate(made.fit(), made.encoded)
    per_epoch = len(read["training_step"]) // 4
    sums = [sum(read["training_step"][e * per_epoch : (e + 1) * per_epoch]) for e in range(4)]
    assert len(set(sums)) > 2 and all(bare <= total <= full for total in sums)
    assert sum(read["test_step"]) == 5 * full


@pytest.mark.parametrize("workers", [0, 2])
def test_dropout_of_facts_is_repeatable(scene: Any, workers: int) -> None:
    def weights(**settings: Any) -> list[torch.Tensor]:
        made = scene(epochs=2, **settings)
        made.fit(dev=False)
        return list(made.network.state_dict().values())

    first, again = weights(fact_dropout=0.5), weights(fact_dropout=0.5, workers=workers)
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, weights()))


def test_padding_is_counted_after_facts_were_left_out(scene: Any) -> None:
    made = scene(fact_dropout=1.0, batch_tokens=10_000)
    (plan,) = made.loop.plan(lengths(made.encoded), 0)
    bare = [int(example.array[5].sum()) for example in made.encoded]
    expected = 1 - sum(bare) / (len(plan) * max(bare))
    assert made.loop.padding_share(made.encoded) == pytest.approx(expected)
    whole = 1 - sum(lengths(made.encoded)) / (len(plan) * max(lengths(made.encoded)))
    assert made.loop.evaluation_padding_share(made.encoded) == pytest.approx(whole)


def test_lightning_leaves_no_trace(scene: Any, tmp_path: Path) -> None:
    Staged.stage = iter([0.5, 0.5])
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]

    def state() -> Any:
        levels = [logger.level for logger in loggers]
        return list(warnings.filters), levels, signal.getsignal(signal.SIGINT)

    before = state()
    made = scene(epochs=1)
    made.loop.evaluate(made.fit(), made.encoded)
    assert state() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["configure_model", "training_step"])
def test_an_interrupt_stays_an_interrupt(
    scene: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FineTuning, moment, interrupt)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            scene(epochs=1).fit(dev=False)
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("gpus", "settings", "message"),
    [
        (0, {"accelerator": "gpu"}, "--accelerator gpu: this machine has no GPU"),
        (0, {"devices": 2}, "--devices 2: this machine has no GPU; for that many CPU processes"),
        (1, {"devices": 2}, "--devices 2: this machine has 1 GPUs"),
        (1, {"devices": 2, "accelerator": "gpu"}, "--devices 2: this machine has 1 GPUs"),
        (0, {}, None),
        (0, {"devices": 2, "accelerator": "cpu"}, None),
        (1, {"devices": 2, "accelerator": "cpu"}, None),
        (2, {"devices": 2}, None),
    ],
)
def test_devices_that_are_not_there_are_refused(
    monkeypatch: pytest.MonkeyPatch, gpus: int, settings: dict[str, Any], message: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if message is None:
        check_devices(TrainSettings(**settings))
    else:
        with pytest.raises(SettingsError) as caught:
            check_devices(TrainSettings(**settings))
        assert str(caught.value).startswith(message)
