"""A step: cut up where memory runs out, seeded by its number, and the same in all trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from graphs import TripleStore
from kbert.core import Core
from kbert.errors import SettingsError
from kbert.examples import TextExample
from kbert.inject import Injector
from kbert.keeper import Keeper, Keeping
from kbert.module import FineTuning
from kbert.nn import Classifier, Encoder, EncoderConfig
from kbert.nn.visibility import Visibility
from kbert.settings import TrainSettings
from kbert.tasks import Classification, collate
from kbert.tokenizer import Tokenizer
from kbert.trainer import Loop

TEXTS = ["我爱北京", "苹果", "我在上海吃苹果", "去", "哈哈哈", "我爱吃", "他在上海"]

Fit = Callable[..., tuple[FineTuning, list[list[int]]]]


@pytest.fixture
def fit(
    tiny_tokenizer: Tokenizer, tiny_store: TripleStore, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Fit:  # fmt: skip
    """Train on one batch of seven, on a device that holds so many rows and no more."""

    def run(*, rows: int, epochs: int = 3, dropout: float = 0.0) -> Any:
        config = EncoderConfig(
            vocab_size=len(tiny_tokenizer), width=8, layers=1, heads=2, feed_forward=8,
            dropout=dropout,
        )  # fmt: skip
        generator = torch.Generator().manual_seed(1)
        encoder = Encoder(config, generator=generator)
        network = Classifier(encoder, 2, dropout=dropout, generator=generator)
        task, inject = Classification(("a", "b")), Injector(tiny_store, tiny_tokenizer)
        examples = [TextExample(t, None, "ab"[i % 2], f"f:{i}") for i, t in enumerate(TEXTS)]
        encoded = [task.encode(example, inject) for example in examples]
        sizes: list[list[int]] = []
        portion = FineTuning.portion

        def limited(self: FineTuning, part: Any, whole: Any) -> Any:
            if self.steps_done == len(sizes):
                sizes.append([])
            if len(part.examples) > rows:
                sizes[-1].clear()
                raise torch.OutOfMemoryError("CUDA out of memory")
            sizes[-1].append(len(part.examples))
            return portion(self, part, whole)

        monkeypatch.setattr(FineTuning, "portion", limited)
        loop = Loop(
            TrainSettings(accelerator="cpu", batch_tokens=10_000, epochs=epochs, clip=0.5),
            task=task,
            pad_id=tiny_tokenizer.pad_id,
            keeper=Keeper(tmp_path, command="kbert.train", about={}, keeping=Keeping()),
            save=lambda: None,
        )
        try:
            module = loop.fit(network, encoded, [], learning_rate=0.01, total_steps=epochs)
        finally:
            monkeypatch.setattr(FineTuning, "portion", portion)
        return module, sizes

    return run


def logits(module: FineTuning) -> torch.Tensor:
    """Ask a network about some token ids."""
    ids = torch.arange(5, 29).reshape(4, 6)
    visibility = Visibility.plain([6] * 4, length=6)
    positions = torch.arange(6).expand_as(ids)
    with torch.no_grad():
        found: torch.Tensor = module.network.eval()(
            ids, positions=positions, segments=torch.zeros_like(ids), visibility=visibility
        )
    return found


def test_a_step_in_parts_is_the_step(fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    whole, sizes = fit(rows=7)
    assert sizes == [[7], [7], [7]]
    said = "note: out of memory in step 1; micro-batches are halved"
    assert said not in capsys.readouterr().err
    # A half of what was too much may be 3.5 rows, so four are cut as well.
    expected = logits(whole)
    for rows, parts in ((6, [3, 2, 2]), (4, [3, 2, 2]), (2, [1] * 7), (1, [1] * 7)):
        cut, sizes = fit(rows=rows)
        assert sizes == [parts] * 3
        # What they say, as the bias of keys changes nothing and moves by chance.
        torch.testing.assert_close(logits(cut), expected, rtol=1e-4, atol=1e-5)
        assert capsys.readouterr().err.count(said) == 1


def test_one_row_that_does_not_fit_is_an_error(fit: Fit) -> None:
    with pytest.raises(SettingsError, match="even with one row at a time; lower --max-length"):
        fit(rows=0)


def test_among_several_devices_memory_is_an_error(
    tiny_tokenizer: Tokenizer, tiny_store: TripleStore
) -> None:
    """The others wait for this one within their exchange of gradients."""
    core = Core(
        learning_rate=0.1, clip=1.0, warmup_steps=0, total_steps=1, schedule="linear", seed=1
    )
    core._trainer = SimpleNamespace(world_size=2)  # type: ignore[assignment]
    with pytest.raises(SettingsError, match="out of memory on one of several devices"):
        core._make_smaller([])


def test_rows_of_a_batch_are_its_rows(tiny_tokenizer: Tokenizer, tiny_store: TripleStore) -> None:
    task, inject = Classification(("a", "b")), Injector(tiny_store, tiny_tokenizer)
    encoded = [task.encode(TextExample(t, None, "a", "f:1"), inject) for t in TEXTS]
    batch = collate(task, encoded, tuple(range(7)), pad_id=0)
    part = batch.rows(2, 5)
    assert part.examples == (2, 3, 4) and torch.equal(part.targets, batch.targets[2:5])
    assert torch.equal(part.inputs.token_ids, batch.inputs.token_ids[2:5])
    whole = batch.inputs.visibility.mask()
    assert torch.equal(part.inputs.visibility.mask(), whole[2:5])
    assert part.inputs.lengths.tolist() == batch.inputs.lengths[2:5].tolist()


def test_dropout_is_a_function_of_the_step(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is drawn between the steps."""
    drawn, undisturbed = [], fit(rows=7, dropout=0.5)[0]
    step = FineTuning.training_step

    def disturbed(self: FineTuning, batch: Any, index: int) -> None:
        drawn.append(float(torch.rand(3 + index).sum()) + float(np.random.default_rng().random()))
        step(self, batch, index)

    monkeypatch.setattr(FineTuning, "training_step", disturbed)
    other = fit(rows=7, dropout=0.5)[0]
    assert len(drawn) == 3
    for name, weights in undisturbed.network.state_dict().items():
        assert torch.equal(other.network.state_dict()[name], weights)
