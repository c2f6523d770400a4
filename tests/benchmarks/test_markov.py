"""The Markov source against enumeration and known figures, and what the check can tell apart."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks import markov
from benchmarks.markov import EXPERIMENTS, SEED, known_source, learn, verdicts
from benchmarks.markov_learner import Experiment, Learner, Measure, paired, rows
from benchmarks.markov_source import Source, hide
from kbert.batch import Batch

SOURCE = known_source()
TINY: dict[str, Any] = {
    "width": 32,
    "layers": 1,
    "length": 8,
    "batch": 32,
    "kept": 200,
    "rate": 5e-3,
}


@settings(max_examples=40)
@given(st.integers(2, 4), st.integers(1, 5), st.integers(0, 2**5 - 1), st.integers(0, 99))
def test_the_posterior_is_that_of_enumeration(
    symbols: int, length: int, bits: int, seed: int
) -> None:
    source = Source.draw(symbols=symbols, seed=seed)
    np.testing.assert_allclose(source.stationary @ source.transition, source.stationary, atol=1e-9)
    sequence = source.sample(1, length=length, draw=np.random.default_rng(seed))
    hidden = np.array([[bool(bits >> t & 1) for t in range(length)]])
    expected = np.zeros((length, symbols))
    for other in itertools.product(range(symbols), repeat=length):
        if all(h or o == s for h, o, s in zip(hidden[0], other, sequence[0], strict=True)):
            chance = source.stationary[other[0]] * np.prod(
                [source.transition[a, b] for a, b in itertools.pairwise(other)]
            )
            expected[np.arange(length), other] += chance
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(source.posterior(sequence, hidden)[0], expected, atol=1e-9)


def test_the_source_is_the_one_of_the_known_figures() -> None:
    assert SOURCE.unigram_entropy == pytest.approx(3.2643, abs=5e-5)
    draw = np.random.default_rng(1)
    sequences = SOURCE.sample(2000, length=64, draw=draw)
    shares = np.bincount(sequences.ravel(), minlength=SOURCE.symbols) / sequences.size
    np.testing.assert_allclose(shares, SOURCE.stationary, atol=0.01)
    losses, right = SOURCE.best_hidden(sequences, hide(sequences, share=0.15, draw=draw))
    error = losses.std() / len(losses) ** 0.5
    assert losses.mean() == pytest.approx(0.9367, abs=4 * error)
    assert right.mean() == pytest.approx(0.6653, abs=0.02)
    everything, _ = SOURCE.best_hidden(sequences[:200, :3], np.ones((200, 3), dtype=np.bool_))
    assert everything.mean() == pytest.approx(SOURCE.unigram_entropy, abs=0.15)
    following, _ = SOURCE.best_next(sequences)
    error = following.std() / len(following) ** 0.5
    assert following.mean() == pytest.approx(SOURCE.entropy_rate, abs=6 * error)


def test_the_next_symbol_is_told_as_if_all_that_follows_were_hidden() -> None:
    sequences = SOURCE.sample(3, length=5, draw=np.random.default_rng(0))
    found = SOURCE.best_next(sequences)[0].reshape(3, 4)
    for t in range(1, 5):
        hidden = np.zeros((3, t + 1), dtype=np.bool_)
        hidden[:, t] = True
        expected, _ = SOURCE.best_hidden(sequences[:, : t + 1], hidden)
        np.testing.assert_allclose(found[:, t - 1], expected)


def test_the_standard_error_is_that_of_a_ratio() -> None:
    """Owners with several differences that agree count once; a constant has no error."""
    draw = np.random.default_rng(0)
    owners = np.repeat(np.arange(400), 5)
    values = np.repeat(draw.normal(size=400), 5)
    mean, error = paired(values, owners)
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values[::5].std(ddof=1) / 400**0.5)
    assert paired(np.full(6, 0.25), np.array([0, 0, 1, 1, 1, 2])) == (0.25, 0.0)


def test_rows_hold_copies_that_hide_other_symbols() -> None:
    draw = np.random.default_rng(0)
    chain = SOURCE.sample(4, length=6, draw=draw)
    hidden = [hide(chain, share=0.4, draw=draw) for _ in range(2)]
    copies = [(chain, each) for each in hidden]
    batch, targets = rows(copies, symbols=32, apart=True, asked=1)
    assert batch.token_ids.shape == (4, 12)
    assert targets.masked is not None and len(targets.masked.labels) == hidden[0].sum()
    assert ((batch.token_ids.flatten()[targets.masked.places]) == 33).all()
    assert np.array_equal(targets.masked.labels.numpy() - 1, chain[hidden[0]])
    mask = batch.visibility.mask()[0, 0]
    assert bool(mask[:6, :6].all()) and not bool(mask[:6, 6:].any())
    together, both = rows(copies, symbols=32, apart=False, asked=2)
    assert bool(together.visibility.mask().all())
    assert both.masked is not None and len(both.masked.labels) == hidden[0].sum() + hidden[1].sum()


class Knowing(Learner):
    """Names hidden symbols by the closed form, with a share of guessing mixed in."""

    across = False
    guessing = 0.0

    def _logits(self, batch: Batch) -> Tensor:
        symbols = self.source.symbols
        own, other = np.split(batch.token_ids.numpy(), 2, axis=1)
        shown = np.where(own == symbols + 1, other, own) if self.across else own
        hidden = shown == symbols + 1
        chances = np.zeros((*batch.token_ids.shape, symbols + 2))
        chances[:, : own.shape[1], 1:-1] = self.source.posterior(
            np.where(hidden, 0, shown - 1), hidden
        )
        chances = (1 - self.guessing) * chances + self.guessing / symbols
        return torch.from_numpy(
            np.log(chances, where=chances > 0, out=np.full_like(chances, -1e9))
        ).flatten(0, 1)


@pytest.mark.parametrize("apart", [True, False])
def test_a_leak_is_found_and_the_best_possible_loss_is_none(apart: bool) -> None:
    experiment = Experiment(name="packed", copies=2, apart=apart, steps=0, **TINY)
    learner = Knowing(SOURCE, experiment, seed=1)
    best = learner.measure()
    assert best.excess == pytest.approx(0, abs=1e-9)
    assert best.loss == pytest.approx(learner.best.mean())
    assert best.accuracy == pytest.approx(learner.guessed.mean())
    learner.guessing = 0.1
    worse = learner.measure()
    assert worse.excess > 4 * worse.error and not worse.leaks
    learner.guessing, learner.across = 0.0, True
    leak = learner.measure()
    assert leak.leaks and leak.loss == pytest.approx(learner.best_across())
    assert leak.loss < 0.5 * best.loss


def test_the_causal_model_comes_to_the_entropy_rate() -> None:
    source = Source.draw(symbols=6, seed=0)
    experiment = Experiment(name="causal", steps=150, causal=True, **TINY)
    learner = Learner(source, experiment, seed=1)
    learner.train(150)
    end = learner.measure()
    assert not end.leaks and end.loss < 1.1 * learner.best.mean()
    assert learner.best.mean() == pytest.approx(source.entropy_rate, abs=0.1)


def test_the_verdicts() -> None:
    start, flat = Measure(0, 3.5, 0.0, 2.5, 0.1), Measure(200, 3.27, 0.1, 2.27, 0.1)
    good, bad = Measure(2500, 1.05, 0.6, 0.05, 0.02), Measure(2500, 0.9, 0.6, -0.1, 0.02)

    def held(name: str, *measures: Measure) -> list[bool]:
        return list(verdicts(name, measures, unigram=3.2643).values())

    assert held("alone", start, flat, good) == [True, True, True]
    assert held("alone", start, flat, bad) == [False, True, True]
    assert held("alone", start, flat._replace(loss=2.9), good) == [True, True, False]
    assert held("alone", start, flat, good._replace(loss=1.2, excess=0.2))[1] is False
    assert held("packed", start, good) == [True, True] and held("packed", start, flat)[1] is False
    assert held("leaking", start, bad) == [True] and held("leaking", start, good) == [False]


def test_the_command_writes_figures_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small: dict[str, Any] = {
        "width": 8,
        "layers": 1,
        "length": 8,
        "batch": 4,
        "kept": 20,
        "steps": 3,
    }
    monkeypatch.setattr(markov, "EXPERIMENTS", tuple(replace(e, **small) for e in EXPERIMENTS))
    monkeypatch.setattr(markov, "PLATEAU", 2)
    assert markov.main(["--every", "2", "--results", str(tmp_path)]) == 1  # nothing was learnt
    assert "not held" in capsys.readouterr().out
    result = json.loads((tmp_path / "markov.json").read_bytes())
    assert list(result["experiments"]) == ["causal", "leaking", "alone", "packed"]
    for each in result["experiments"].values():
        assert [point["step"] for point in each["curve"]] == [0, 2, 3]
    assert (tmp_path / "markov.png").read_bytes().startswith(b"\x89PNG")

    changed = tuple(replace(e, steps=2) if e.name == "alone" else e for e in markov.EXPERIMENTS)
    monkeypatch.setattr(markov, "EXPERIMENTS", changed)
    assert markov.main(["--every", "2", "--resume", "--results", str(tmp_path)]) == 1
    again = json.loads((tmp_path / "markov.json").read_bytes())["experiments"]
    assert again["alone"]["final"]["step"] == 2
    for name in ("causal", "leaking", "packed"):  # seconds too: these were not run again
        assert again[name] == result["experiments"][name]

    (tmp_path / "markov.json").write_text("[]", encoding="utf-8")
    assert markov.main(["--resume", "--results", str(tmp_path)]) == 2
    assert "markov.json: not a result of this benchmark" in capsys.readouterr().err


@pytest.mark.long
def test_the_model_goes_from_the_unigram_plateau_to_the_best_loss() -> None:
    """The benchmark's first experiment, all of it: some ten minutes of a core."""
    experiment = next(each for each in EXPERIMENTS if each.name == "alone")
    learner = Learner(SOURCE, experiment, seed=SEED)
    measures = learn(learner, every=100)
    assert measures[0].loss == pytest.approx(np.log(SOURCE.symbols + 2), abs=0.4)
    assert all(verdicts("alone", measures, unigram=SOURCE.unigram_entropy).values())
