"""Examples of an epoch and their batches: complete, padded right, and a function of the seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kbert.plans import loader
from kgbert.batches import Examples, Lessons, Steps, collate, plan_batches
from kgbert.data import load_data
from kgbert.negatives import NegativeSampler
from kgbert.parts import make_lessons
from kgbert.settings import KNOWN_PARTS, KnowledgeTrainSettings
from tests.kgbert.scoring import network, sequences, triples

SEQUENCES = sequences()
TRIPLES = triples(90)


def sampler(per_positive: int = 3) -> NegativeSampler:
    return NegativeSampler(TRIPLES, entities=40, relations=5, per_positive=per_positive, seed=5)


@given(st.lists(st.integers(3, 20), max_size=400), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_plan_has_each_example_once(sizes: list[int], batch_size: int, seed: int) -> None:
    lengths = np.array(sizes, dtype=np.int32)
    plan = plan_batches(lengths, batch_size=batch_size, seed=seed, epoch=2)
    assert sorted(np.concatenate([*plan, np.empty(0)]).tolist()) == list(range(len(sizes)))
    assert len(plan) == -(-len(sizes) // batch_size)
    assert sum(len(batch) < batch_size for batch in plan) <= 1
    again = plan_batches(lengths, batch_size=batch_size, seed=seed, epoch=2)
    assert [batch.tolist() for batch in plan] == [batch.tolist() for batch in again]


def test_plans_differ_by_epoch_and_seed_and_put_like_lengths_together() -> None:
    lengths = SEQUENCES.lengths(triples(1000))
    plans = {
        (seed, epoch): tuple(
            map(tuple, plan_batches(lengths, batch_size=8, seed=seed, epoch=epoch))
        )
        for seed, epoch in ((1, 0), (1, 1), (2, 0))
    }
    assert len(set(plans.values())) == 3
    longest = sum(len(batch) * max(lengths[list(batch)]) for batch in plans[1, 0])
    assert longest < 1.05 * lengths.sum()  # by chance it would be 1.3 times as much


def test_an_epoch_is_the_positives_and_their_negatives() -> None:
    given = Examples.joined(TRIPLES, TRIPLES[:2])
    lessons = Lessons(given, sampler())
    epochs = [lessons.epoch(number) for number in range(2)]
    for number, (rows, targets) in enumerate(epochs):
        assert len(lessons) == len(targets) == 90 + 2 + 270
        assert np.array_equal(rows[:90], TRIPLES) and targets[:90].all()
        assert np.array_equal(rows[90:92], TRIPLES[:2]) and not targets[90:].any()
        drawn = sampler().sample(number, np.arange(90))
        assert np.array_equal(rows[92:], drawn.reshape(-1, 3))
    assert not np.array_equal(epochs[0].triples, epochs[1].triples)


def test_static_negatives_are_those_of_the_first_epoch() -> None:
    lessons = Lessons(Examples.joined(TRIPLES, TRIPLES[:0]), sampler(), static=True)
    assert np.array_equal(lessons.epoch(7).triples, lessons.epoch(0).triples)


def test_pairs_are_labelled_with_their_relation() -> None:
    lessons = Lessons(Examples.pairs(TRIPLES))
    assert len(lessons) == 90
    assert np.array_equal(lessons.epoch(3).targets, TRIPLES[:, 1])


@pytest.mark.parametrize("form", ["triple", "pair"])
def test_a_batch_gives_the_logits_of_its_triples_alone(form: str) -> None:
    laid_out, model = sequences(form=form), network()  # type: ignore[arg-type]
    examples = Examples(TRIPLES[:12], np.arange(12))
    batch = collate(examples, sequences=laid_out, pad_id=0)
    assert len(set(batch.lengths)) > 3 and batch.targets.tolist() == list(range(12))
    received = model(batch.token_ids, batch.segments, lengths=batch.lengths)
    for row, triple in enumerate(TRIPLES[:12]):
        alone = [torch.from_numpy(part) for part in laid_out.assemble(triple[None])]
        torch.testing.assert_close(received[row], model(*alone)[0], rtol=1e-4, atol=1e-5)


def test_full_rows_need_no_lengths() -> None:
    same = Examples(np.repeat(TRIPLES[:1], 3, axis=0), np.zeros(3, dtype=np.int64))
    assert collate(same, sequences=SEQUENCES, pad_id=0).lengths == ()


def test_steps_are_the_plan() -> None:
    examples = Lessons(Examples.pairs(TRIPLES)).epoch(0)
    lengths = SEQUENCES.lengths(TRIPLES)
    plan = plan_batches(lengths, batch_size=7, seed=1, epoch=0)
    steps = Steps(examples, plan, sequences=SEQUENCES, pad_id=0)
    batches = list(loader(steps, start=0, workers=0))
    assert len(batches) == len(steps) == 13
    for batch, chosen in zip(batches, plan, strict=True):
        assert batch.targets.tolist() == TRIPLES[chosen, 1].tolist()
        assert batch.token_ids.shape == (len(chosen), int(lengths[chosen].max()))


def test_no_negative_states_what_is_known() -> None:
    data = load_data("sample")
    stated = {}
    for name, parts in KNOWN_PARTS.items():
        lessons = make_lessons(KnowledgeTrainSettings(negative_known=name, negatives=20), data)
        triples, targets = lessons.epoch(0)
        false = triples[targets == 0]
        assert not data.filter(*parts).contains(false.T).any()
        stated[name] = int(data.filter("train", "valid", "test").contains(false.T).sum())
    assert stated["train"] > stated["train-valid"] > stated["all"] == 0
