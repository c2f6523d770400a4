from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kbert.nn.checkpoint import load_weights, save
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kbert.nn.heads import Classifier, SpanFinder, Tagger
from kbert.nn.visibility import Visibility

CONFIG = EncoderConfig(
    vocab_size=20,
    width=16,
    layers=1,
    heads=2,
    feed_forward=32,
    max_positions=8,
    initializer_std=0.3,
)
IDS = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7]])


def run(model: nn.Module) -> Tensor:
    logits: Tensor = model(
        IDS,
        positions=torch.arange(4).expand(2, 4),
        segments=torch.zeros_like(IDS),
        visibility=Visibility.plain([3, 4], length=4),
    )
    return logits


def encode() -> Encoder:
    return Encoder(CONFIG, generator=torch.Generator().manual_seed(0)).eval()


@pytest.mark.parametrize(("head", "shape"), [(Classifier, (2, 5)), (Tagger, (2, 4, 5))])
def test_logits_are_linear_in_what_the_head_reads(
    head: type[Classifier] | type[Tagger], shape: tuple[int, ...]
) -> None:
    model = head(encode(), 5, generator=torch.Generator().manual_seed(1)).eval()
    output = model.encoder(
        IDS,
        positions=torch.arange(4).expand(2, 4),
        segments=torch.zeros_like(IDS),
        visibility=Visibility.plain([3, 4], length=4),
    )
    read = output.pooled if head is Classifier else output.hidden
    with torch.no_grad():
        model.classifier.bias.copy_(torch.arange(5.0))
    logits = run(model)
    assert logits.shape == shape
    expected = read @ model.classifier.weight.T + torch.arange(5.0)
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("head", [Classifier, Tagger])
def test_every_trainable_weight_gets_a_gradient(head: type[Classifier] | type[Tagger]) -> None:
    model = head(encode(), 3)
    run(model).square().sum().backward()
    without = [n for n, w in model.named_parameters() if w.requires_grad and w.grad is None]
    assert without == []


@pytest.mark.parametrize("head", [Classifier, Tagger])
def test_dropout_acts_in_training_only(head: type[Classifier] | type[Tagger]) -> None:
    model = head(encode(), 3, dropout=0.5)
    assert torch.equal(run(model.eval()), run(model))
    model.dropout.train()
    assert not torch.equal(run(model), run(model))


@pytest.mark.parametrize("head", [Classifier, Tagger])
def test_a_head_is_drawn_from_its_generator(head: type[Classifier] | type[Tagger]) -> None:
    state = torch.get_rng_state()
    encoder = encode()
    first, second, other = (
        head(encoder, 3, generator=torch.Generator().manual_seed(seed)).classifier.weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert 0.2 < float(first.detach().std()) < 0.4


def test_a_span_finder_is_that_of_transformers_on_what_it_may_choose(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    ours = SpanFinder(encode(), generator=torch.Generator().manual_seed(1)).eval()
    save(ours, tmp_path, labels=("start", "end"))
    theirs = transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path).eval()
    assert type(theirs).__name__ == "BertForQuestionAnswering"
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    with torch.no_grad():
        logits = run(ours)
        output = theirs(IDS, attention_mask=mask)
    assert logits.shape == (2, 2, 4)
    expected = torch.stack([output.start_logits, output.end_logits], dim=1)
    kept = mask.bool()[:, None].expand(2, 2, 4)
    torch.testing.assert_close(logits[kept], expected[kept])
    assert (logits[~kept] == torch.finfo(torch.float32).min).all()

    again = SpanFinder(Encoder(CONFIG, generator=torch.Generator().manual_seed(7))).eval()
    load_weights(again, tmp_path)
    assert torch.equal(run(again), logits)


def test_branches_are_no_answers() -> None:
    model = SpanFinder(encode())
    visibility = Visibility.plain([4, 4], length=4)
    visibility = dataclasses.replace(
        visibility, trunk=torch.tensor([[True, True, False, True], [True] * 4])
    )
    logits = model(
        IDS,
        positions=torch.arange(4).expand(2, 4),
        segments=torch.zeros_like(IDS),
        visibility=visibility,
    )
    least = logits == torch.finfo(torch.float32).min
    assert least.nonzero().tolist() == [[0, 0, 2], [0, 1, 2]]


def test_every_trainable_weight_of_a_span_finder_gets_a_gradient() -> None:
    model = SpanFinder(encode())
    run(model)[:, :, :3].square().sum().backward()
    without = [n for n, w in model.named_parameters() if w.requires_grad and w.grad is None]
    assert without == []
