"""Taking a fact away is predicting with a graph that lacks it, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kbert
from graphs import TripleStore
from kbert.account import account_for
from kbert.batch import Batch
from kbert.effects import Effect, effects_of, outcome_of
from kbert.knowledge import make_injector
from kbert.model import Model
from kbert.run import RunRecord
from kbert.tokenizer import Tokenizer

Runs = Callable[[str], Path]
GRAPH = [
    ("北京", "首都", "中国"), ("北京", "是", "城市"), ("北京", "古称", "燕京"),
    ("上海", "位于", "中国"), ("苹果", "是", "水果"), ("苹果手机", "是", "手机"),
    ("库克", "职业", "总裁"),
]  # fmt: skip


def found(
    run: Path, text: str, pair: str | None = None, **options: Any
) -> tuple[Model, list[Effect]]:
    store = TripleStore.from_triples(GRAPH)
    model = kbert.load(run, kg=store, allow_other_graph=True)
    import dataclasses

    settings = dataclasses.replace(RunRecord.read(run).settings, **options)

    def rebuild(graph: TripleStore) -> kbert.Injector:
        return make_injector(settings, graph, model.inject.tokenizer)

    model = model.with_injector(rebuild(store))
    account = account_for(model.inject, model.prepare(text, pair).tree.text, pair)
    return model, list(effects_of(model, account, rebuild=rebuild))


def lacking(run: Path, effect: Effect, text: str, pair: str | None = None) -> kbert.Prediction:
    left = TripleStore.from_triples([triple for triple in GRAPH if triple != effect.triple])
    model = kbert.load(run, kg=left, allow_other_graph=True)
    return model.predict([text], None if pair is None else [pair])[0]


@pytest.mark.parametrize("text", ["我爱北京的苹果", "苹果手机在上海，北京", "北京北京"])
def test_a_fact_taken_away_is_a_graph_that_lacks_it(runs: Runs, text: str) -> None:
    run = runs("classification")
    model, effects = found(run, text)
    (whole,) = model.predict([text])
    assert [effect.triple for effect in effects] == list(dict.fromkeys(whole.facts))
    for effect in effects:
        expected = lacking(run, effect, text)
        assert (
            dict(zip(model.labels, effect.outcome.rows[0], strict=True)) == expected.probabilities
        )
        assert effect.label == expected.label and effect.flips == (expected.label != whole.label)
        change = expected.probabilities[str(whole.label)] - whole.probabilities[str(whole.label)]
        assert effect.change == change
        assert set(expected.facts) - set(whole.facts) == set(effect.instead)


def test_the_next_fact_and_the_shorter_name_come_in(runs: Runs) -> None:
    _, effects = found(runs("classification"), "北京的苹果手机")
    instead = {effect.triple: effect.instead for effect in effects}
    assert instead["北京", "首都", "中国"] == (("北京", "古称", "燕京"),)
    assert instead["苹果手机", "是", "手机"] == (("苹果", "是", "水果"),)


@pytest.mark.parametrize("selection", ["rare", "central", "similar"])
def test_under_every_policy(runs: Runs, selection: str) -> None:
    run = runs("classification")
    text = "我爱北京的苹果在上海"
    _, effects = found(run, text, selection=selection, max_facts=1)
    import dataclasses

    settings = dataclasses.replace(RunRecord.read(run).settings, selection=selection, max_facts=1)
    assert effects
    for effect in effects:
        left = TripleStore.from_triples([triple for triple in GRAPH if triple != effect.triple])
        other = kbert.load(run, kg=left, allow_other_graph=True)
        other = other.with_injector(make_injector(settings, left, other.inject.tokenizer))
        (expected,) = other.predict([text])
        assert (
            dict(zip(other.labels, effect.outcome.rows[0], strict=True)) == expected.probabilities
        )


def test_pairs(runs: Runs) -> None:
    run = runs("pair")
    model, effects = found(run, "我在北京", "他在苹果")
    assert len(effects) == 3
    for effect in effects:
        expected = lacking(run, effect, "我在北京", "他在苹果")
        assert (
            dict(zip(model.labels, effect.outcome.rows[0], strict=True)) == expected.probabilities
        )


@pytest.mark.parametrize("text", ["库克去上海", "库 克 x1 去北京"])
def test_tags_are_those_of_a_graph_that_lacks_the_fact(runs: Runs, text: str) -> None:
    run = runs("tagging")
    model, effects = found(run, text)
    _, whole = outcome_of(model, text)
    (prediction,) = model.predict([text])
    assert tuple(model.labels[whole.best(row)] for row in range(len(whole.rows))) == prediction.tags
    assert effects
    for effect in effects:
        tags = lacking(run, effect, text).tags
        rows = range(len(tags))
        assert tuple(model.labels[effect.outcome.best(row)] for row in rows) == tags
        assert effect.flips == sum(a != b for a, b in zip(tags, prediction.tags, strict=True))
        changes = [
            effect.outcome.rows[r][whole.best(r)] - whole.rows[r][whole.best(r)] for r in rows
        ]
        assert abs(effect.change) == max(map(abs, changes)) and effect.change == changes[effect.row]


def test_logits_are_those_of_prediction(runs: Runs) -> None:
    model = kbert.load(runs("classification"))
    batch = Batch.from_trees([model.inject("我爱北京")], pad_id=model.inject.tokenizer.pad_id)
    shares = model.logits(batch).softmax(-1)[0].tolist()
    (prediction,) = model.predict(["我爱北京"])
    assert shares == list(prediction.probabilities.values())
    assert isinstance(model.inject.tokenizer, Tokenizer)
