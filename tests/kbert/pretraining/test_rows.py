"""Micro-batches hold the corpus's own tokens, where they are said to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from kbert.batch import Batch
from kbert.nn import Encoder, EncoderConfig, LanguageModel
from kbert.plans import Share, loader
from kbert.pretraining.held_out import split
from kbert.pretraining.objectives import Losses, PretrainingModel, Weights
from kbert.pretraining.parts import make_rows, make_sampler
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.settings import Phase, PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Steps, validation

Settings = Callable[..., PretrainSettings]
ALONE = Share(0, 1)


def steps(
    settings: PretrainSettings, corpus: Corpus, *, share: Share = ALONE, count: int = 60
) -> Steps:
    train, _ = split(
        sentences=corpus.sentences, documents=corpus.documents, share=settings.held_out,
        relation=settings.relation,
    )  # fmt: skip
    phase = Phase(count, settings.plan[0].max_length)
    return Steps(
        make_sampler(settings, train, phase, number=0),
        make_rows(settings, corpus, number=0),
        phase=phase,
        accumulate=settings.accumulate,
        share=share,
    )


def restored(part: MicroBatch) -> Batch:
    """Put the original pieces back to their places."""
    assert part.targets.masked is not None
    part.inputs.token_ids.flatten()[part.targets.masked.places] = part.targets.masked.labels
    return part.inputs


def sequences(part: MicroBatch, corpus: Corpus) -> list[tuple[list[str], list[int]]]:
    """Read every sequence of a batch: pieces and segments."""
    inputs, tokenizer = restored(part), corpus.tokenizer()
    found = []
    for row in range(len(inputs.token_ids)):
        document = inputs.visibility.document[row]
        for number in range(int(document.max()) + 1):
            own = document == number
            if bool((inputs.token_ids[row][own] == corpus.special.pad).all()):
                continue
            assert inputs.positions[row][own].tolist() == list(range(int(own.sum())))
            pieces = [tokenizer.piece(i) for i in inputs.token_ids[row][own].tolist()]
            found.append((pieces, inputs.segments[row][own].tolist()))
    return found


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("relation", ["nsp", "sop", "none"])
def test_an_epoch_reads_the_texts_and_nothing_else(
    settings: Settings, small_corpus: Corpus, packing: bool, relation: str
) -> None:
    made = steps(
        settings(relation=relation, packing=packing, held_out=0.0, unit="word"), small_corpus
    )
    corpus, tokenizer = small_corpus, small_corpus.tokenizer()
    pieces = [tokenizer.piece(i) for i in corpus.token_ids.tolist()]
    text = " ".join(pieces)
    read = tokens = 0
    for number in range(made.epoch_batches):
        (part,) = made[number]
        assert part.slots == part.inputs.token_ids.numel() and part.tokens <= part.slots
        found = sequences(part, corpus)
        assert part.tokens == sum(len(row) for row, _ in found) == int(part.inputs.lengths.sum())
        assert part.squares == sum(len(row) ** 2 for row, _ in found)
        for row, segments in found:
            first = row.index("[SEP]")
            assert row[0] == "[CLS]" and row[-1] == "[SEP]"
            assert segments == [0] * (first + 1) + [1] * (len(row) - first - 1)
            a, b = row[1:first], row[first + 1 : -1]
            assert " ".join(a) in text and " ".join(b) in text and "[SEP]" not in b
            assert bool(b) <= (relation != "none")
            read += len(a)
            tokens += len(a) + len(b)
    if relation == "none":
        assert read == len(corpus.token_ids)
    assert read > len(corpus.token_ids) / 4 and tokens <= 2 * len(corpus.token_ids)


def test_targets_are_those_of_the_settings(settings: Settings, small_corpus: Corpus) -> None:
    made = steps(settings(relation="nsp", boundary_weight=1.0, unit="word"), small_corpus)
    labels = []
    for number in range(made.epoch_batches):
        (part,) = made[number]
        targets, ids = part.targets, part.inputs.token_ids.flatten()
        assert targets.masked is not None and targets.relation is not None
        assert (ids[targets.relation.places] == small_corpus.special.cls).all()
        assert len(targets.relation.places) == int((ids == small_corpus.special.cls).sum())
        labels += targets.relation.labels.tolist()
        assert not torch.isin(targets.masked.labels, torch.tensor(small_corpus.special)).any()
        assert targets.boundary is not None
        inside = targets.boundary.left + 1 + targets.boundary.offsets
        assert inside.tolist() == targets.masked.places.tolist()
        assert (targets.boundary.right > targets.masked.places).all()
    assert set(labels) == {0, 1}


def test_a_packed_batch_has_the_losses_of_single_sequences(
    settings: Settings, small_corpus: Corpus
) -> None:
    """The same epoch, packed and not: masks are a sequence's own, and so are the losses."""
    config = EncoderConfig(
        vocab_size=small_corpus.vocab_size, width=16, layers=2, heads=2, feed_forward=32
    )
    draw = torch.Generator().manual_seed(0)
    network = LanguageModel(Encoder(config, generator=draw), relation_labels=2, generator=draw)
    model = PretrainingModel(network).double().eval()
    losses, shapes = [], []
    for changes in ({}, {"packing": False}, {"compile": True}):
        made = steps(settings(**changes), small_corpus)
        parts = [made[number][0] for number in range(made.epoch_batches)]
        with torch.no_grad():
            taken = Losses.combine([model(part.inputs, part.targets) for part in parts])
        losses.append(taken)
        shapes.append({part.inputs.token_ids.shape for part in parts})
    for other in losses[1:]:
        torch.testing.assert_close(other.sums, losses[0].sums, rtol=1e-9, atol=1e-9)
        assert torch.equal(other.counts, losses[0].counts)
    assert len(shapes[0]) == 2 and shapes[2] == {(4, 32)}  # empty rows fill the last batch


def same(one: Any, other: Any) -> bool:
    return all(
        torch.equal(a.inputs.token_ids, b.inputs.token_ids)
        and torch.equal(a.inputs.positions, b.inputs.positions)
        and torch.equal(a.targets.masked.places, b.targets.masked.places)
        and torch.equal(a.targets.masked.labels, b.targets.masked.labels)
        for a, b in zip(one, other, strict=True)
    )


def test_a_step_is_a_function_of_its_number(settings: Settings, small_corpus: Corpus) -> None:
    chosen = settings(accumulate=2)
    made = steps(chosen, small_corpus, count=40)
    expected = [made[number] for number in range(40)]
    assert made.epoch_batches < 40  # so that it crosses epochs
    again = steps(chosen, small_corpus, count=40)
    for number in (39, 0, 17, 16):
        assert same(again[number], expected[number])
    with pytest.raises(IndexError):
        again[40]
    assert not same(expected[0], steps(settings(accumulate=2, seed=2), small_corpus)[0])


def test_workers_make_the_same_steps(settings: Settings, small_corpus: Corpus) -> None:
    made = steps(settings(), small_corpus, count=30)
    with_workers = list(loader(made, start=0, workers=2))
    assert len(with_workers) == 30
    assert all(map(same, with_workers, list(loader(made, start=0, workers=0))))


def test_processes_share_the_micro_batches(settings: Settings, small_corpus: Corpus) -> None:
    alone = steps(settings(accumulate=4), small_corpus)
    shared = [
        steps(settings(accumulate=2), small_corpus, share=Share(rank, 2)) for rank in range(2)
    ]
    for number in range(6):
        first, second = (each[number] for each in shared)
        assert same(alone[number], (first[0], second[0], first[1], second[1]))


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_a_validation_is_shared_out_and_counted_once(
    settings: Settings, small_corpus: Corpus, world: int
) -> None:
    made = steps(settings(boundary_weight=1.0, unit="word"), small_corpus)
    sampler, make = made._sampler, made._make
    alone = list(validation(sampler, make, batches=5, share=Share(0, 1)))
    assert len(alone) == 5
    shares = [
        list(validation(sampler, make, batches=5, share=Share(rank, world)))
        for rank in range(world)
    ]
    assert {len(share) for share in shares} == {-(-5 // world)}
    turns = [part for turn in zip(*shares, strict=True) for part in turn]
    assert all(same([a], [b]) for a, b in zip(alone, turns, strict=False))
    counted = torch.stack([part.targets.counts() for part in turns])
    assert torch.equal(counted[:5], torch.stack([part.targets.counts() for part in alone]))
    assert counted[:5, [0, 1, 3]].min() > 0 == counted[5:].sum()


def test_static_masks_return_and_dynamic_ones_do_not(
    settings: Settings, small_corpus: Corpus
) -> None:
    def epoch(chosen: PretrainSettings, number: int) -> set[bytes]:
        """The sequences of an epoch, masks included, in any order."""
        made = steps(chosen, small_corpus)
        drawn = made._sampler.epoch(number)
        rows = [
            made._sampler.micro_batch(drawn, index, make=made._make).inputs.token_ids.numpy()
            for index in range(len(drawn.batches))
        ]
        return {np.trim_zeros(row).tobytes() for part in rows for row in part}

    static = settings(dupe_factor=2, packing=False)
    assert epoch(static, 0) == epoch(static, 2) != epoch(static, 1)
    assert epoch(settings(packing=False), 0) != epoch(settings(packing=False), 2)


def test_weights_of_zero_take_an_objective_out() -> None:
    assert Weights(relation=0.0).tensor(like=torch.zeros(4)).tolist() == [1, 1, 1, 0]
