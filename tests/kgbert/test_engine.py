"""Logits of the engine: those of transformers, and the same bits whatever else is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kbert.errors import CheckpointError, SettingsError
from kgbert.engine import ScoringEngine
from kgbert.sequences import Form, Sequences
from tests.kgbert.scoring import network, pieces, sequences, triples

SEQUENCES = sequences()
ENGINE = ScoringEngine(network(), SEQUENCES, batch_tokens=128)
TRIPLES = triples(300)
LOGITS = ENGINE.logits(TRIPLES)


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("form", ["triple", "pair"])
def test_logits_are_those_of_transformers(tmp_path: Path, form: Form) -> None:
    """One triple at a time and padded, with an attention mask, as the original feeds it."""
    transformers = pytest.importorskip("transformers")
    ours = network(labels=2 if form == "triple" else 5)
    ours.save(tmp_path)
    theirs = transformers.BertForSequenceClassification.from_pretrained(tmp_path).eval()
    laid_out = sequences(form=form)
    received = ScoringEngine(ours, laid_out).logits(TRIPLES[:60])
    for triple, logits in zip(TRIPLES[:60], received, strict=True):
        token_ids, segments = laid_out.assemble(triple[None])
        pad = 16 - token_ids.shape[1]
        expected = theirs(
            input_ids=torch.from_numpy(np.pad(token_ids, ((0, 0), (0, pad)))),
            token_type_ids=torch.from_numpy(np.pad(segments, ((0, 0), (0, pad)))),
            attention_mask=torch.from_numpy(np.pad(np.ones_like(segments), ((0, 0), (0, pad)))),
        ).logits
        assert np.abs(expected.detach().numpy()[0] - logits).max() <= 1e-5
    assert len(set(laid_out.lengths(TRIPLES[:60]).tolist())) > 4


@settings(max_examples=25)
@given(st.lists(st.integers(0, 299), max_size=60), st.sampled_from([16, 64, 128, 1000]))
def test_order_company_and_batches_change_no_bit(chosen: list[int], batch_tokens: int) -> None:
    engine = ScoringEngine(ENGINE.network, SEQUENCES, batch_tokens=batch_tokens)
    assert np.array_equal(engine.logits(TRIPLES[chosen]), LOGITS[chosen])


def test_threads_change_no_bit(threads: int) -> None:
    wide = ScoringEngine(network(width=64, layers=3), SEQUENCES, batch_tokens=256)
    whole = wide.logits(TRIPLES)
    assert torch.get_num_threads() == threads
    order = np.random.default_rng(1).permutation(300)
    assert np.array_equal(wide.logits(TRIPLES[order]), whole[order])
    for size in (1, 2, 3, 5, 17):
        assert np.array_equal(wide.logits(TRIPLES[order[:size]]), whole[order[:size]])
    assert np.array_equal(ENGINE.logits(TRIPLES), LOGITS)
    assert torch.get_num_threads() == threads


def test_slabs_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgbert.engine._SLAB", 200)
    assert np.array_equal(ENGINE.logits(TRIPLES), LOGITS)


def test_equal_texts_are_computed_once_and_have_one_score() -> None:
    rows = [[5, 6], [7], [5, 6], [8, 9, 10]]
    laid_out = Sequences.build(
        entities=pieces(rows), relations=pieces([[11], [12]]), max_length=12, cls_id=2, sep_id=3
    )
    seen = []
    model = network()
    model.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    asked = np.array([[0, 0, 1], [2, 0, 1], [0, 0, 1], [1, 1, 0], [1, 1, 2]])
    logits = ScoringEngine(model, laid_out).logits(asked)
    assert seen == [4]  # two different inputs of one length, filled up to four rows
    assert np.array_equal(logits[[0, 3]], logits[[1, 4]])
    assert np.array_equal(logits[0], logits[2])
    assert not np.array_equal(logits[0], logits[3])


def test_batches_have_one_length_and_keep_to_their_tokens() -> None:
    seen: list[tuple[int, ...]] = []
    model = network()
    model.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape))
    ScoringEngine(model, SEQUENCES, batch_tokens=96).logits(TRIPLES)
    assert all(rows * length <= 96 or rows == 4 for rows, length in seen)
    distinct = len(np.unique(SEQUENCES.identities(TRIPLES)))
    computed = sum(rows for rows, _ in seen)
    lengths = {length for _, length in seen}
    assert distinct <= computed <= distinct + 3 * len(lengths)
    assert distinct < 300


def test_lower_precision_stays_close_and_keeps_the_network() -> None:
    low = ScoringEngine(ENGINE.network, SEQUENCES, precision="bf16", batch_tokens=128)
    received = low.logits(TRIPLES)
    assert received.dtype == np.float32
    assert 0 < np.abs(received - LOGITS).max() < 0.1
    assert next(ENGINE.network.parameters()).dtype == torch.float32
    assert np.array_equal(low.logits(TRIPLES[::-7]), received[::-7])


def test_large_logits_are_not_rounded_to_sixteen_bits() -> None:
    """The head is in 32 bits: an offset of 1024, whose neighbours are 8 apart, changes nothing."""
    low = ScoringEngine(ENGINE.network, SEQUENCES, precision="bf16").logits(TRIPLES)
    model = network()
    with torch.no_grad():
        model.classifier.classifier.bias += 1024
    shifted = ScoringEngine(model, SEQUENCES, precision="bf16").logits(TRIPLES)
    assert np.abs(shifted - 1024 - low).max() < 1e-3


def test_a_network_in_training_is_scored_without_dropout_and_goes_on_training() -> None:
    model = network().train()
    assert np.array_equal(ScoringEngine(model, SEQUENCES).logits(TRIPLES), LOGITS)
    assert model.training


def test_nothing_has_no_logits() -> None:
    none = ENGINE.logits(np.zeros((0, 3), dtype=np.int32))
    assert none.shape == (0, 2) and none.dtype == np.float32


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([[0, 0, 40]], "triple 0: tail is 40; expected a number from 0 to 39"),
        ([[0, 0, 1], [-1, 0, 0]], "triple 1: head is -1"),
        ([[0, 5, 0]], "triple 0: relation is 5"),
        ([[0, 1]], r"expected integers \(n, 3\)"),
        ([[0.0, 0.0, 1.0]], r"expected integers \(n, 3\)"),
    ],
)
def test_what_are_no_triples_are_refused(asked: list[list[float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ENGINE.logits(np.array(asked))


def test_a_broken_network_is_found_out() -> None:
    model = network()
    with torch.no_grad():
        model.classifier.classifier.bias[0] = float("nan")
    with pytest.raises(CheckpointError, match="no finite numbers"):
        ScoringEngine(model, SEQUENCES).logits(TRIPLES[:2])


def test_a_network_that_does_not_fit_the_texts_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_length is 65, but the encoder has only 64"):
        ScoringEngine(network(), sequences(max_length=65))
    with pytest.raises(SettingsError, match="vocabulary and encoder do not belong together"):
        ScoringEngine(network(vocabulary=60), SEQUENCES)
