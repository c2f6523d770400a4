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
from kbert.knowledge import make_injector
from kbert.run import RunRecord
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


LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
RDF = f"""\
<http://x.org/1> {LABEL} "北京"@zh .
<http://x.org/1> {LABEL} "Beijing"@en .
<http://x.org/1> <http://x.org/capitalOf> <http://x.org/2> .
<http://x.org/2> {LABEL} "中国"@zh .
<http://x.org/2> {LABEL} "China"@en .
<http://x.org/3> {LABEL} "上海"@zh .
"""


def test_an_rdf_graph_is_read_in_the_languages_of_the_run(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tmp_path / "g.nt"
    graph.write_text(RDF, encoding="utf-8")
    for languages, tail in ((("zh", "en"), "中国"), (("en", "zh"), "China")):
        run = train(kg=str(graph), kg_languages=languages)
        assert RunRecord.read(run).policy == f"first sayable={list(languages)}"
        (answer, other) = kbert.load(run).predict(["我爱北京", "上海"])
        assert answer.facts == (("http://x.org/1", "capital of", tail),)
        assert other.facts == ()
        with pytest.raises(kbert.RunError, match="is another one"):
            kbert.load(run, kg=graphs.load(str(graph), languages=languages[:1]))
    assert "train: 6 examples, 2 facts injected into 2 of them" in capsys.readouterr().err


def test_a_compiled_graph_is_found_where_it_was(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = tmp_path / "g.nt", tmp_path / "compiled"
    source.write_text(RDF, encoding="utf-8")
    graphs.compile([source], folder, languages=["zh"])
    run = train(kg=str(folder), selection="similar", max_per_relation=1, fact_dropout=0.5)
    record = RunRecord.read(run)
    assert record.graph.path == str(folder.resolve())
    assert record.graph.fingerprint == graphs.load(str(source), languages=["zh"]).fingerprint
    settings = dataclasses.replace(record.settings, kg="not-here")
    dataclasses.replace(record, settings=settings).write(run)
    monkeypatch.chdir(tmp_path)
    (answer,) = kbert.load(run).predict(["我爱北京"])
    assert answer.facts == (("http://x.org/1", "capital of", "中国"),)


@pytest.mark.parametrize("selection", ["rare", "central", "similar"])
def test_prediction_injects_what_training_did(
    train: Train, small_data: Path, tmp_path: Path, selection: str
) -> None:
    options = {"selection": selection, "max_facts": 1, "repeat_mentions": False}
    facts = [(name, f"r{i}", tail) for name in ("北京", "上海") for i, tail in enumerate("吃爱在")]
    graph = tmp_path / "g.tsv"
    graph.write_text("".join("\t".join(fact) + "\n" for fact in facts), encoding="utf-8")
    run = train(kg=str(graph), max_fact_share=0.4, fact_dropout=0.3, **options)
    table = (small_data / "classification" / "train.tsv").read_text(encoding="utf-8")
    texts = [line.split("\t")[1] for line in table.splitlines()[1:]]
    model = kbert.load(run)
    store = graphs.load(str(graph))
    fresh = make_injector(RunRecord.read(run).settings, store, model.inject.tokenizer)
    answers = model.predict(texts)
    injected = [
        tuple((node.entity, *branch.fact) for node in fresh(text).nodes for branch in node.branches)
        for text in texts
    ]
    assert [answer.facts for answer in answers] == injected
    assert len(set(injected)) > (2 if selection == "similar" else 1)
