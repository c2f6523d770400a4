"""Losses against transformers', against themselves in another form, and in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kbert.batch import Batch
from kbert.errors import SettingsError
from kbert.nn import Encoder, EncoderConfig, LanguageModel, Visibility
from kbert.nn.checkpoint import load_language_model
from kbert.nn.layout import file_names
from kbert.pretraining.objectives import Losses, PretrainingModel, Weights
from kbert.pretraining.targets import (
    IGNORED,
    OBJECTIVES,
    Labelled,
    SpanTargets,
    Targets,
    causal,
    count,
)

CONFIG = EncoderConfig(
    vocab_size=50, width=24, layers=2, heads=3, feed_forward=40, max_positions=32,
    dropout=0.0, attention_dropout=0.0,
)  # fmt: skip
WEIGHTS = Weights(masked=1.0, boundary=0.5, causal=0.7, relation=2.0)


def randomise(model: torch.nn.Module, *, seed: int) -> None:
    """Draw every weight anew, biases and norms too: zeros and ones would hide mistakes."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            centre = 1.0 if "orm.weight" in name else 0.0
            weight.normal_(mean=centre, std=0.15, generator=draw)


def make(*, relation: int = 2, boundary: int = 4, seed: int = 0) -> PretrainingModel:
    network = LanguageModel(Encoder(CONFIG), relation_labels=relation, boundary_positions=boundary)
    randomise(network, seed=seed)
    return PretrainingModel(network).eval()


class Example:
    """One sequence with its targets: masked spans between the first and the last token."""

    def __init__(self, length: int, *, spans: Sequence[tuple[int, int]], seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.ids = draw.integers(1, CONFIG.vocab_size, length)
        self.segments = (np.arange(length) >= length // 2).astype(np.int64)
        self.positions = np.array([p for span in spans for p in range(*span)], dtype=np.int64)
        self.spans = np.array([span for span in spans for _ in range(*span)]).reshape(-1, 2)
        self.labels = draw.integers(0, CONFIG.vocab_size, len(self.positions))
        self.relation = int(draw.integers(0, 2))


EXAMPLES = [
    Example(9, spans=[(2, 4), (6, 7)], seed=1),
    Example(14, spans=[(1, 7), (9, 10)], seed=2),  # a span beyond the boundary head's table
    Example(5, spans=[(2, 3)], seed=3),
    Example(11, spans=[(3, 5), (7, 10)], seed=4),
]


def pack(rows: Sequence[Sequence[Example]], *, length: int) -> tuple[Batch, Targets]:
    """Put several examples into each row, each a document of its own, then padding."""
    ids, positions, segments = torch.zeros(3, len(rows), length, dtype=torch.int64)
    document = torch.full((len(rows), length), 99, dtype=torch.int32)
    starts: list[list[int]] = []
    for r, row in enumerate(rows):
        starts.append([])
        end = 0
        for number, example in enumerate(row):
            start, end = end, end + len(example.ids)
            starts[-1].append(start)
            ids[r, start:end] = torch.from_numpy(example.ids)
            segments[r, start:end] = torch.from_numpy(example.segments)
            positions[r, start:end] = torch.arange(len(example.ids))
            document[r, start:end] = number
    shifted = [
        [(s + e.positions, e.labels, s + e.spans) for s, e in zip(ss, row, strict=True)]
        for ss, row in zip(starts, rows, strict=True)
    ]
    columns, labels, spans = (
        [np.concatenate([entry[part] for entry in row]) for row in shifted] for part in range(3)
    )
    zero = torch.zeros_like(document)
    visibility = Visibility(
        document=document, enter=zero, leave=zero + 1, trunk=zero == 0,
        query_rank=zero, key_rank=zero,
    )  # fmt: skip
    lengths = torch.tensor([sum(len(e.ids) for e in row) for row in rows])
    targets = Targets(
        masked=Labelled.from_rows(columns, labels, length=length),
        boundary=SpanTargets.from_rows(columns, labels, spans, length=length, boundary_positions=4),
        relation=Labelled.from_rows(
            [np.array(s) for s in starts],
            [np.array([e.relation for e in row]) for row in rows],
            length=length,
        ),
    )
    return Batch(ids, positions, segments, visibility, lengths), targets


def with_causal(batch: Batch, targets: Targets) -> tuple[Batch, Targets]:
    ordered, following = causal(batch)
    return ordered, replace(targets, causal=following)


def gradients(model: torch.nn.Module, loss: Tensor) -> dict[str, Tensor]:
    """Return the gradient of every trainable weight, which must all have one."""
    model.zero_grad()
    loss.backward()
    found = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None, name
            found[name] = weight.grad.clone()
    return found


def assert_near(first: dict[str, Tensor], second: dict[str, Tensor], *, bound: float) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert (tensor - second[name]).abs().max() <= bound, name


def test_losses_and_gradients_are_those_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(**CONFIG.to_hugging_face(), attn_implementation="sdpa")
    theirs = transformers.BertForPreTraining(config).eval()
    randomise(theirs, seed=7)
    theirs.save_pretrained(tmp_path)
    ours = PretrainingModel(load_language_model(tmp_path)).eval()
    batch, targets = pack([[example] for example in EXAMPLES], length=16)
    targets = replace(targets, boundary=None)
    assert targets.masked is not None and targets.relation is not None
    labels = torch.full((4 * 16,), -100)
    labels[targets.masked.places] = targets.masked.labels
    expected = theirs(
        input_ids=batch.token_ids, token_type_ids=batch.segments,
        attention_mask=(torch.arange(16) < batch.lengths[:, None]).long(),
        labels=labels.view(4, 16), next_sentence_label=targets.relation.labels,
    )  # fmt: skip
    losses = ours(batch, targets)
    received = losses.weighted(Weights(), counts=targets.counts())
    assert (received - expected.loss).abs() <= 1e-5
    their_gradients = gradients(theirs, expected.loss)
    our_gradients = gradients(ours.network, received)
    renamed = file_names(ours.network)
    assert_near(
        {renamed[name]: gradient for name, gradient in our_gradients.items()},
        their_gradients, bound=1e-5,
    )  # fmt: skip
    # A bias of the keys moves all scores of a query alike: its gradient is zero and noise.
    weak = [name for name, g in our_gradients.items() if g.abs().max() < 1e-4]
    assert all(name.endswith("key.bias") for name in weak)
    guesses = expected.prediction_logits.flatten(0, 1)[targets.masked.places].argmax(-1)
    assert losses.correct[0] == (guesses == targets.masked.labels).sum()


def test_causal_losses_are_those_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(**CONFIG.to_hugging_face(), attn_implementation="sdpa")
    masked = transformers.BertForMaskedLM(config)
    randomise(masked, seed=8)
    masked.save_pretrained(tmp_path)
    config.is_decoder = True
    theirs = transformers.BertLMHeadModel.from_pretrained(tmp_path, config=config).eval()
    ours = PretrainingModel(load_language_model(tmp_path)).eval()
    batch, targets = with_causal(*pack([[example] for example in EXAMPLES], length=16))
    targets = Targets(causal=targets.causal)
    text = torch.arange(16) < batch.lengths[:, None]
    expected = theirs(
        input_ids=batch.token_ids, token_type_ids=batch.segments, attention_mask=text.long(),
        labels=batch.token_ids.masked_fill(~text, -100), use_cache=False,
    )  # fmt: skip
    received = ours(batch, targets).weighted(Weights(), counts=targets.counts())
    assert (received - expected.loss).abs() <= 1e-5
    renamed = file_names(ours.network)
    ours_named = {renamed[name]: g for name, g in gradients(ours.network, received).items()}
    assert_near(ours_named, gradients(theirs, expected.loss), bound=1e-5)


def test_decoding_everywhere_gives_the_same_losses_and_gradients() -> None:
    sparse = make()
    dense = PretrainingModel(sparse.network, dense=True).eval()
    batch, targets = with_causal(*pack([EXAMPLES[:2], EXAMPLES[2:]], length=25))
    assert targets.masked is not None
    targets.masked.labels[1] = IGNORED
    counts = targets.counts()
    results = [model(batch, targets) for model in (sparse, dense)]
    torch.testing.assert_close(results[0].sums, results[1].sums, rtol=1e-6, atol=0)
    assert torch.equal(results[0].correct, results[1].correct)
    for losses in results:
        assert torch.equal(losses.counts, counts)
    assert counts.tolist() == [15, 14, 35, 4]
    found = [gradients(sparse, losses.weighted(WEIGHTS, counts=counts)) for losses in results]
    assert_near(*found, bound=1e-6)


def test_packed_rows_are_single_rows() -> None:
    model = make()
    packed_batch, packed = pack([EXAMPLES[:2], EXAMPLES[2:]], length=25)
    single_batch, single = pack([[example] for example in EXAMPLES], length=14)
    results = [model(packed_batch, packed), model(single_batch, single)]
    torch.testing.assert_close(results[0].sums, results[1].sums, rtol=1e-5, atol=0)
    assert torch.equal(results[0].correct, results[1].correct)
    assert torch.equal(packed.counts(), single.counts())
    found = [gradients(model, r.weighted(WEIGHTS, counts=single.counts())) for r in results]
    assert_near(*found, bound=1e-5)
    encode = model.network.encoder
    with torch.no_grad():
        hidden = [
            encode(
                b.token_ids, positions=b.positions, segments=b.segments, visibility=b.visibility
            ).hidden
            for b in (packed_batch, single_batch)
        ]
    for number, (row, start) in enumerate([(0, 0), (0, 9), (1, 0), (1, 5)]):
        length = len(EXAMPLES[number].ids)
        together, alone = hidden[0][row, start : start + length], hidden[1][number, :length]
        assert (together - alone).abs().max() <= 1e-5


def embedded_gradient(model: PretrainingModel, batch: Batch, targets: Targets) -> Tensor:
    """Return the gradient of the sum of all losses for each input embedding, (B, L, D)."""
    kept: list[Tensor] = []

    def keep(_: Any, __: Any, output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    hook = model.network.encoder.embeddings.register_forward_hook(keep)
    model(batch, targets).sums.sum().backward()
    hook.remove()
    assert kept[0].grad is not None
    return kept[0].grad


@pytest.mark.parametrize("ordered", [False, True])
def test_packed_documents_cannot_see_each_other(ordered: bool) -> None:
    model = make()
    batch, targets = pack([EXAMPLES[:2]], length=25)
    _, mine = pack([EXAMPLES[:1]], length=25)  # the targets of the first document alone
    if ordered:
        batch, targets = with_causal(batch, targets)
        assert targets.causal is not None
        first = targets.causal.places < 9
        following = Labelled(targets.causal.places[first], targets.causal.labels[first])
        mine = replace(mine, causal=following)
    gradient = embedded_gradient(model, batch, mine)[0]
    used = 8 if ordered else 9  # nothing follows the last token, and nobody before it sees it
    assert (gradient[:used].abs().amax(dim=1) > 0).all()
    assert torch.equal(gradient[9:], torch.zeros_like(gradient[9:]))


def test_no_token_sees_the_one_that_it_predicts() -> None:
    batch, targets = with_causal(*pack([EXAMPLES[:1]], length=9))
    assert targets.causal is not None
    for place, label in zip(targets.causal.places, targets.causal.labels, strict=True):
        gradient = embedded_gradient(
            make(), batch, Targets(causal=Labelled(place[None], label[None]))
        )[0]
        assert (gradient[: place + 1].abs().amax(dim=1) > 0).all()
        assert not gradient[place + 1 :].any()


def test_spans_are_told_from_their_boundary_alone() -> None:
    model = make()
    batch, targets = pack([EXAMPLES[:1]], length=9)  # spans [2, 4) and [6, 7)
    kept: list[Tensor] = []

    def keep(_: Any, __: Any, output: Any) -> None:
        output.hidden.retain_grad()
        kept.append(output.hidden)

    hook = model.network.encoder.register_forward_hook(keep)
    model(batch, replace(targets, masked=None, relation=None)).sums.sum().backward()
    hook.remove()
    assert kept[0].grad is not None
    seen = kept[0].grad[0].abs().amax(dim=1) > 0
    assert seen.nonzero().flatten().tolist() == [1, 4, 5, 7]


def test_accumulation_is_the_one_big_batch() -> None:
    model = make()
    whole_batch, whole = with_causal(*pack([[example] for example in EXAMPLES], length=14))
    parts = [
        with_causal(*pack([[EXAMPLES[0]]], length=10)),
        with_causal(*pack([[EXAMPLES[1]], [EXAMPLES[2]]], length=14)),
        with_causal(*pack([[EXAMPLES[3]]], length=12)),
    ]
    counts = count([targets for _, targets in parts])
    assert torch.equal(counts, whole.counts())
    big = model(whole_batch, whole)
    expected = gradients(model, big.weighted(WEIGHTS, counts=counts))

    def accumulate(*, own_counts: bool) -> dict[str, Tensor]:
        model.zero_grad()
        for batch, targets in parts:
            denominators = targets.counts() * len(parts) if own_counts else counts
            model(batch, targets).weighted(WEIGHTS, counts=denominators).backward()
        return {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}

    assert_near(accumulate(own_counts=False), expected, bound=1e-6)
    with pytest.raises(AssertionError):  # the mean of means is something else
        assert_near(accumulate(own_counts=True), expected, bound=1e-3)
    small = Losses.combine([model(batch, targets).detach() for batch, targets in parts])
    torch.testing.assert_close(small.sums, big.sums.detach(), rtol=1e-6, atol=0)
    assert torch.equal(small.counts, big.counts)
    assert torch.equal(small.correct, big.correct)
    assert not small.sums.requires_grad


def test_the_weighted_sum_and_the_scores() -> None:
    losses = Losses(
        torch.tensor([8.0, 3.0, 0.0, 5.0], requires_grad=True),
        torch.tensor([4, 6, 0, 2]),
        torch.tensor([1, 3, 0, 2]),
    )
    total = losses.weighted(WEIGHTS, counts=losses.counts)
    assert total.item() == 1.0 * 2.0 + 0.5 * 0.5 + 0.7 * 0.0 + 2.0 * 2.5
    assert losses.scores() == {
        "masked": (2.0, 0.25, 4), "boundary": (0.5, 0.5, 6), "relation": (2.5, 1.0, 2)
    }  # fmt: skip
    with pytest.raises(ValueError, match="no losses"):
        Losses.combine([])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_alone_has_its_own_place(name: str) -> None:
    model = make()
    batch, targets = with_causal(*pack([[example] for example in EXAMPLES], length=14))
    whole = model(batch, targets)
    losses = model(batch, Targets(**{name: getattr(targets, name)}))
    assert list(losses.scores()) == [name]
    index = OBJECTIVES.index(name)
    assert losses.sums[index] == whole.sums[index] != 0
    only = Weights(**{**dict.fromkeys(OBJECTIVES, 0.0), name: 3.0})
    assert losses.weighted(only, counts=whole.counts) == whole.weighted(only, counts=whole.counts)


def test_nothing_to_predict_is_no_loss() -> None:
    model = make()
    batch, _ = pack([EXAMPLES[:1]], length=9)
    empty = torch.zeros(0, dtype=torch.int64)
    for targets in (
        Targets(masked=Labelled(empty, empty)),
        Targets(masked=Labelled(torch.tensor([3]), torch.tensor([IGNORED]))),
        Targets(),
    ):
        losses = model(batch, targets)
        assert losses.scores() == {}
        assert losses.weighted(Weights(), counts=losses.counts).item() == 0.0


def test_targets_of_a_head_that_is_not_there_are_refused() -> None:
    model = make(relation=0, boundary=0)
    batch, targets = pack([EXAMPLES[:1]], length=9)
    with pytest.raises(ValueError, match="no relation head"):
        model(batch, Targets(relation=targets.relation))
    with pytest.raises(ValueError, match="no boundary head"):
        model(batch, Targets(boundary=targets.boundary))


def test_losses_are_summed_in_single_precision_under_autocast() -> None:
    model = make()
    batch, targets = with_causal(*pack([[example] for example in EXAMPLES], length=14))
    exact = model(batch, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model(batch, targets)
    assert losses.sums.dtype == torch.float32
    torch.testing.assert_close(losses.sums, exact.sums, rtol=0.02, atol=0)
    halved = make()
    halved.network.to(torch.bfloat16)
    assert halved(batch, targets).sums.dtype == torch.float32
    halved.network.to(torch.float64)
    assert halved(batch, replace(targets, causal=None)).sums.dtype == torch.float64


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_a_weight_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(SettingsError, match="the weight of causal is"):
        Weights(causal=value)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_loss_at_initialisation(layers: int) -> None:
    """In closed form ln V + D * std² / 2, which no layer below the head enters.

    The head's layer norm makes its output a vector of squared length D whatever it reads, so that
    against rows of N(0, std²) the logits are N(0, D * std²), and the mean of the log of the sum of
    their exponentials is that, for any depth: one or two layers stand for twelve.
    """
    config = EncoderConfig(vocab_size=30522, layers=layers, dropout=0.0, attention_dropout=0.0)
    draw = torch.Generator().manual_seed(layers)
    network = LanguageModel(Encoder(config, generator=draw), relation_labels=2, generator=draw)
    model = PretrainingModel(network).eval()
    ids = torch.randint(1000, 30522, (16, 32), generator=draw)
    places = torch.randperm(16 * 32, generator=draw)[:300]
    targets = Targets(
        masked=Labelled(places, torch.randint(0, 30522, (300,), generator=draw)),
        relation=Labelled(torch.arange(16) * 32, torch.arange(16) % 2),
    )
    batch = Batch(
        ids, torch.arange(32).expand_as(ids), torch.zeros_like(ids),
        Visibility.plain([32] * 16, length=32), torch.full((16,), 32),
    )  # fmt: skip
    with torch.no_grad():
        scores = model(batch, targets).scores()
        hidden = network.encoder(
            ids, positions=batch.positions, segments=batch.segments, visibility=None
        ).hidden.flatten(0, 1)
        logits = network.name_tokens(hidden[places])
        # The mean over all labels that there are, of which the 300 drawn are a sample.
        mean = float((logits.logsumexp(-1) - logits.mean(-1)).mean())
    assert math.log(30522) + 768 * 0.02**2 / 2 == pytest.approx(10.480, abs=5e-4)
    assert mean == pytest.approx(10.48, abs=0.02)
    assert scores["masked"].loss == pytest.approx(mean, abs=4 * 0.55 / 300**0.5)
    # The logits of two relations differ by some N(0, 0.13), which costs 0.13 / 8 over ln 2.
    assert scores["relation"].loss == pytest.approx(0.693, abs=0.03)


def test_a_step_needs_nothing_of_another_device() -> None:
    """The meta device refuses tensors of the CPU, as a GPU does."""
    model = make().to("meta")
    batch, targets = pack([EXAMPLES[:2], EXAMPLES[2:]], length=32)
    batch, targets = batch.to("meta"), replace(targets, boundary=None).to("meta")
    losses = model(batch, targets)
    value = losses.weighted(WEIGHTS, counts=count([targets, targets]))
    value.backward()
    assert value.device.type == targets.counts().device.type == "meta"
    with pytest.raises(RuntimeError, match="device"):
        torch.stack([targets.counts(), torch.zeros(4, dtype=torch.int64)])
