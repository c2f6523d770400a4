"""Sequences that are read left to right: who sees whom, what is asked, and transformers' losses."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kbert.batch import Batch
from kbert.nn import Encoder, EncoderConfig, LanguageModel, Visibility
from kbert.nn.checkpoint import save
from kbert.nn.layout import file_names
from kbert.plans import Share
from kbert.pretraining.held_out import split
from kbert.pretraining.objectives import Losses, PretrainingModel, Weights
from kbert.pretraining.parts import for_validation, make_rows, make_sampler
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.run import pretrain
from kbert.pretraining.settings import Phase, PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Steps, validation
from kbert.pretraining.targets import IGNORED, causal

Settings = Callable[..., PretrainSettings]
Sequences = dict[bytes, tuple[bool, bytes, int]]
VOCABULARY, LENGTH = 20, 12


def network(vocabulary: int, *, relation: int = 0) -> LanguageModel:
    """Make a small network whose weights are far from zero, biases too."""
    config = EncoderConfig(
        vocab_size=vocabulary, width=16, layers=2, heads=2, feed_forward=24, max_positions=64,
        dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip
    made = LanguageModel(Encoder(config), relation_labels=relation)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.normal_(mean=float("orm.weight" in name), std=0.3, generator=draw)
    return made.eval()


NETWORK = network(VOCABULARY)


def packed(sizes: list[int]) -> Batch:
    """Lay sequences of these sizes into one row, with two places of padding."""
    document = torch.repeat_interleave(torch.arange(len(sizes) + 1), torch.tensor([*sizes, 2]))
    length = len(document)
    plain = Visibility.plain([length], length=length)
    ids = torch.from_numpy(np.random.default_rng(length).integers(1, VOCABULARY, length))
    visibility = replace(plain, document=document[None].to(torch.int32))
    positions = torch.cat([torch.arange(size) for size in [*sizes, 2]])
    zeros = torch.zeros(1, length, dtype=torch.int64)
    return Batch(ids[None], positions[None], zeros, visibility, torch.tensor([length - 2]))


@torch.no_grad()
def tokens(batch: Batch) -> Tensor:
    return NETWORK(
        batch.token_ids, positions=batch.positions, segments=batch.segments,
        visibility=batch.visibility,
    ).tokens[0]  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=4), st.data())
def test_a_later_token_changes_nothing_before_it(
    documents: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """In a row with masked sequences too, in which every token is seen by all of its sequence."""
    batch = packed([size for size, _ in documents])
    document = batch.visibility.document[0]
    ordered = torch.tensor([*(chosen for _, chosen in documents), False])
    batch, following = causal(batch, chosen=ordered[document][None])
    place = data.draw(st.integers(0, int(batch.lengths) - 1))
    other = batch.token_ids.clone()
    other[0, place] = other[0, place] % (VOCABULARY - 1) + 1
    moved = (tokens(batch) - tokens(replace(batch, token_ids=other))).abs().amax(dim=1) > 1e-6
    reached = document == document[place]
    if ordered[document[place]]:
        reached &= torch.arange(len(document)) >= place
    assert torch.equal(moved, reached)
    expected = [
        place
        for place in range(int(batch.lengths) - 1)
        if ordered[document[place]] and document[place] == document[place + 1]
    ]
    assert following.places.tolist() == expected
    assert torch.equal(following.labels, batch.token_ids[0, following.places + 1])


def test_all_sequences_may_be_named() -> None:
    batch = packed([3, 5])
    everything = torch.ones_like(batch.visibility.trunk)
    (one, first), (other, second) = causal(batch), causal(batch, chosen=everything)
    assert torch.equal(one.visibility.mask(), other.visibility.mask())
    assert torch.equal(first.places, second.places)
    none, nothing = causal(batch, chosen=~everything)
    assert torch.equal(none.visibility.mask(), batch.visibility.mask()) and not len(nothing.labels)


def epoch(chosen: PretrainSettings, corpus: Corpus, *, number: int = 0) -> list[MicroBatch]:
    train, _ = split(
        sentences=corpus.sentences, documents=corpus.documents, share=chosen.held_out,
        relation=chosen.relation,
    )  # fmt: skip
    sampler = make_sampler(chosen, train, chosen.plan[0], number=0)
    make = make_rows(chosen, corpus, number=0)
    drawn = sampler.epoch(number)
    return [sampler.micro_batch(drawn, i, make=make) for i in range(len(drawn.batches))]


def sequences(part: MicroBatch) -> list[tuple[Tensor, Tensor]]:
    """List the places of each sequence of a batch, and their ids."""
    inputs, found = part.inputs, []
    width = inputs.token_ids.shape[1]
    for row, length in enumerate(inputs.lengths.tolist()):
        document = inputs.visibility.document[row, :length]
        for number in document.unique():
            columns = (document == number).nonzero().squeeze(1)
            found.append((row * width + columns, inputs.token_ids[row, columns]))
    return found


@pytest.mark.parametrize("packing", [True, False])
def test_each_sequence_is_masked_or_read_left_to_right(
    settings: Settings, small_corpus: Corpus, packing: bool
) -> None:
    common = {"packing": packing, "unit": "word", "boundary_weight": 1.0}
    mixed = epoch(settings(causal_share=0.4, **common), small_corpus)
    plain = epoch(settings(**common), small_corpus)
    ordered = 0
    for part, masked in zip(mixed, plain, strict=True):
        targets, original = part.targets, masked.inputs.token_ids.clone()
        assert masked.targets.causal is None and masked.targets.masked is not None
        assert targets.causal is not None and targets.masked is not None
        assert targets.relation is not None and targets.boundary is not None
        original.flatten()[masked.targets.masked.places] = masked.targets.masked.labels
        following = dict(
            zip(targets.causal.places.tolist(), targets.causal.labels.tolist(), strict=True)
        )
        relation = dict(
            zip(targets.relation.places.tolist(), targets.relation.labels.tolist(), strict=True)
        )
        asked = set(targets.masked.places.tolist())
        assert len(targets.boundary.labels) == len(asked)
        for (places, ids), (_, same) in zip(sequences(part), sequences(masked), strict=True):
            told = [following.pop(int(place), None) for place in places]
            if relation[int(places[0])] == IGNORED:
                ordered += 1
                assert torch.equal(ids, original.flatten()[places])
                assert told == [*ids[1:].tolist(), None]  # [CLS] tells the first, nothing [CLS]
                assert not asked & set(places.tolist())
            else:
                assert torch.equal(ids, same) and set(told) == {None}
                assert asked & set(places.tolist())
        assert not following
        assert part.squares == int(part.inputs.visibility.mask().sum()) - sum(
            int((part.inputs.token_ids.shape[1] - n) ** 2) for n in part.inputs.lengths
        )
    total = sum(len(sequences(part)) for part in mixed)
    assert abs(ordered - 0.4 * total) <= 4 * math.sqrt(0.24 * total)


def left_to_right(chosen: PretrainSettings, corpus: Corpus, *, number: int) -> set[bytes]:
    """Return those sequences of an epoch that are read left to right."""
    found = set()
    for part in epoch(chosen, corpus, number=number):
        assert part.targets.causal is not None
        places = set(part.targets.causal.places.tolist())
        found |= {ids.numpy().tobytes() for own, ids in sequences(part) if int(own[0]) in places}
    return found


def test_which_ones_is_a_function_of_seed_and_epoch(
    settings: Settings, small_corpus: Corpus
) -> None:
    common = {"causal_share": 0.5, "relation": "none"}
    alone = left_to_right(settings(packing=False, **common), small_corpus, number=0)
    chosen = settings(**common)
    assert left_to_right(chosen, small_corpus, number=0) == alone
    assert left_to_right(chosen, small_corpus, number=1) != alone
    assert left_to_right(settings(seed=2, **common), small_corpus, number=0) != alone
    static = settings(dupe_factor=2, **common)
    first, second, third = (left_to_right(static, small_corpus, number=n) for n in range(3))
    assert first == third != second


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_packed_rows_have_the_losses_of_single_sequences(
    settings: Settings, small_corpus: Corpus, share: float
) -> None:
    common = {"causal_share": share, "relation": "none" if share == 1 else "nsp"}
    labels = 0 if share == 1 else 2
    model = PretrainingModel(network(small_corpus.vocab_size, relation=labels).double()).eval()
    taken = []
    for changes in ({}, {"packing": False}, {"compile": True}):
        parts = epoch(settings(**common, **changes), small_corpus)
        with torch.no_grad():
            taken.append(Losses.combine([model(part.inputs, part.targets) for part in parts]))
    assert (taken[0].counts[0] == 0) == (share == 1) and taken[0].counts[2] > 0
    for other in taken[1:]:
        torch.testing.assert_close(other.sums, taken[0].sums, rtol=1e-9, atol=1e-9)
        assert torch.equal(other.counts, taken[0].counts)


def test_the_weighted_sum_is_that_of_the_two_models_of_transformers(
    settings: Settings, small_corpus: Corpus, tmp_path: Path
) -> None:
    """A packed batch of both kinds; theirs are single rows, each kind in the model made for it."""
    transformers = pytest.importorskip("transformers")
    ours = PretrainingModel(network(small_corpus.vocab_size)).eval()
    save(ours.network, tmp_path)
    load: dict[str, Any] = {"attn_implementation": "sdpa"}
    masked = transformers.BertForMaskedLM.from_pretrained(tmp_path, **load).eval()
    decoder = transformers.BertLMHeadModel.from_pretrained(tmp_path, is_decoder=True, **load).eval()
    part = epoch(settings(causal_share=0.5, relation="none"), small_corpus)[0]
    counts = part.targets.counts()
    assert counts[0] > 5 and counts[2] > 5
    weights = Weights(masked=0.7, causal=1.3)
    received = ours(part.inputs, part.targets).weighted(weights, counts=counts)
    received.backward()

    labels = torch.full((part.inputs.token_ids.numel(),), IGNORED)
    assert part.targets.masked is not None and part.targets.causal is not None
    labels[part.targets.masked.places] = part.targets.masked.labels
    expected = torch.zeros(())
    for places, ids in sequences(part):
        common = {"input_ids": ids[None], "token_type_ids": torch.zeros_like(ids)[None]}
        if (labels[places] != IGNORED).any():
            asked = int((labels[places] != IGNORED).sum())
            loss = masked(**common, labels=labels[places][None]).loss
            expected = expected + 0.7 * loss * asked / counts[0]
        else:
            loss = decoder(**common, labels=ids[None], use_cache=False).loss
            expected = expected + 1.3 * loss * (len(ids) - 1) / counts[2]
    expected.backward()
    assert received.item() == pytest.approx(expected.item(), abs=1e-5)
    theirs = [dict(model.named_parameters()) for model in (masked, decoder)]
    renamed = file_names(ours.network)
    for name, weight in ours.network.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None
            whole = sum(each[renamed[name]].grad for each in theirs)
            torch.testing.assert_close(weight.grad, whole, rtol=0, atol=1e-5)


def test_a_causal_run_is_a_decoder_of_transformers(
    settings: Settings, small_corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The held-out loss of the run is theirs, sequence by sequence."""
    transformers = pytest.importorskip("transformers")
    chosen = settings(causal_share=1.0, relation="none", phases=["30x32"], log_every=10)
    report = pretrain(chosen)
    assert "perplexity" in capsys.readouterr().err
    assert all(list(each.scores) == ["causal"] for each in report.measures)
    score = report.measures[-1].scores["causal"]
    assert score.loss < report.measures[0].scores["causal"].loss - 0.5
    folder = tmp_path / "run"
    theirs = transformers.BertLMHeadModel.from_pretrained(folder, is_decoder=True).eval()
    train, held_out = split(
        sentences=small_corpus.sentences, documents=small_corpus.documents, share=0.2,
        relation="none",
    )  # fmt: skip
    assert held_out is not None
    sampler, make = for_validation(
        make_sampler(chosen, train, Phase(30, 32), number=0),
        make_rows(chosen, small_corpus, number=0),
        held_out,
    )
    total = 0.0
    with torch.no_grad():
        for part in validation(sampler, make, batches=50, share=Share(0, 1)):
            for _, ids in sequences(part):
                loss = theirs(input_ids=ids[None], labels=ids[None], use_cache=False).loss
                total += float(loss) * (len(ids) - 1)
    assert score.loss == pytest.approx(total / score.targets, abs=1e-5)

    figures = json.loads((folder / "metrics.json").read_bytes())["held_out"][-1]["causal"]
    assert figures["perplexity"] == pytest.approx(math.exp(score.loss))
    rows = list(csv.DictReader((folder / "metrics.csv").read_text(encoding="utf-8").splitlines()))
    assert all(float(row["causal_perplexity"]) > 1 and not row["masked_loss"] for row in rows)
    assert "left to right" in (folder / "README.md").read_text(encoding="utf-8")
    samples = (folder / "samples.txt").read_text(encoding="utf-8").splitlines()
    assert len(samples) == 2
    assert all(line.startswith("[") and line.endswith("]") for line in samples)


def test_both_kinds_are_reported(settings: Settings, tmp_path: Path) -> None:
    report = pretrain(settings(causal_share=0.5, causal_weight=2.0, phases=["3x32"]))
    last = report.measures[-1]
    assert list(last.scores) == ["masked", "causal", "relation"]
    expected = last.scores["masked"].loss + last.scores["relation"].loss
    assert last.loss == pytest.approx(expected + 2 * last.scores["causal"].loss, rel=1e-5)
    assert "Left to right" not in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")


def test_steps_with_nothing_to_mask_go_on(settings: Settings, small_corpus: Corpus) -> None:
    """Also with words and spans, whose choice of tokens is another function."""
    train, _ = split(
        sentences=small_corpus.sentences, documents=small_corpus.documents, share=0.0,
        relation="none",
    )  # fmt: skip
    for changes in ({"unit": "word"}, {"spans": "geometric"}, {"google_quirks": True}):
        chosen = settings(relation="none", held_out=0.0, **changes)
        make = replace(make_rows(chosen, small_corpus, number=0), causal_share=1.0)
        steps = Steps(
            make_sampler(chosen, train, Phase(2, 32), number=0), make, phase=Phase(2, 32),
            accumulate=1, share=Share(0, 1),
        )  # fmt: skip
        (part,) = steps[0]
        assert part.targets.masked is not None and not len(part.targets.masked.labels)
