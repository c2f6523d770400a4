"""The graph of a run: the one by its recorded name, and names that are left with a fact to give."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import graphs
import kbert
from graphs import TripleStore
from kbert.run import RunRecord, make_injector
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer

Train = Callable[..., Path]


def test_a_run_on_the_sample_finds_it_when_the_full_graph_is_there(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KBERT_HOME", str(tmp_path))
    run = train(kg="cn_dbpedia")
    record = RunRecord.read(run)
    assert (record.settings.kg, record.graph.name) == ("cn_dbpedia", "cn_dbpedia_sample")
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "cn_dbpedia.spo").write_text("北京\t首都\t中国\n", encoding="utf-8")
    assert len(graphs.load("cn_dbpedia")) == 1
    (answer,) = kbert.load(run).predict(["我爱北京"])
    assert answer.facts and ("北京", "首都", "中国") not in answer.facts
    with pytest.raises(kbert.RunError, match=r"cn_dbpedia of 1 triples is another one"):
        kbert.load(run, kg="cn_dbpedia")


def test_settings_that_deny_a_name_all_its_facts_uncover_a_shorter_one(
    tiny_tokenizer: Tokenizer,
) -> None:
    store = TripleStore.from_triples([("苹果手机", "价格", "城市"), ("苹果", "是", "水果")])
    for settings, expected in (
        (TrainSettings(), ["苹果手机"]),
        (TrainSettings(deny_relations=("价格",)), ["苹果"]),
        (TrainSettings(allow_relations=("是",), selection="rare"), ["苹果"]),
    ):
        tree = make_injector(settings, store, tiny_tokenizer)("我爱苹果手机")
        assert [node.entity for node in tree.nodes] == expected


def test_a_recipe_with_relations_serves_without_a_graph(tiny_tokenizer: Tokenizer) -> None:
    settings = TrainSettings(allow_relations=("首府",), deny_relations=("首都",))
    assert make_injector(settings, graphs.load("none"), tiny_tokenizer)("我爱北京").nodes == ()


def test_a_graph_in_memory_and_a_graph_from_elsewhere(
    runs: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = runs("classification")
    record = RunRecord.read(run)
    assert Path(record.graph.path).is_absolute()
    store = graphs.TripleStore.open(record.graph.path)
    assert kbert.load(run, kg=store).predict(["北京"])
    other = graphs.TripleStore.from_triples([("x y", "r", "t")])
    with pytest.raises(kbert.RunError, match="another one"):
        kbert.load(run, kg=other)
    # A run that was trained with a relative path finds its graph from another folder.
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    settings = dataclasses.replace(record.settings, kg="not-here.tsv")
    dataclasses.replace(record, settings=settings).write(copied)
    monkeypatch.chdir(tmp_path)
    assert kbert.load(copied).predict(["北京"])
