"""The benchmark of scale, small; and the synthetic graphs it measures on."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import graph_scale, graph_store
from benchmarks.report import RESULTS
from benchmarks.synthetic import make_names, write_graph, write_texts
from graphs import MentionIndex, TripleStore


def test_names_are_distinct_and_the_same_every_time() -> None:
    names = make_names(3_000)
    assert len(set(names)) == 3_000 and names == make_names(3_000)
    assert names != make_names(3_000, seed=2)
    assert 0.3 < sum(name.isascii() for name in names) / 3_000 < 0.46


def test_a_graph_has_the_heads_that_were_asked_for(tmp_path: Path) -> None:
    write_graph(tmp_path / "g.tsv", triples=2_000, heads=400, tails=500)
    write_graph(tmp_path / "again.tsv", triples=2_000, heads=400, tails=500)
    assert (tmp_path / "g.tsv").read_bytes() == (tmp_path / "again.tsv").read_bytes()
    store = TripleStore.open(tmp_path / "g.tsv")
    assert len(store) + store.duplicates == 2_000 and len(store.heads) == 400


def test_texts_hold_names(tmp_path: Path) -> None:
    names = make_names(500)
    write_texts(tmp_path / "t.txt", names, count=200)
    texts = (tmp_path / "t.txt").read_text(encoding="utf-8").splitlines()
    found = sum(len(MentionIndex(names).find(text)) for text in texts)
    assert len(texts) == 200 and found > 200


def test_every_kind_answers_alike(tmp_path: Path) -> None:
    write_graph(tmp_path / "g.tsv", triples=500, heads=100, tails=100)
    store = TripleStore.open(tmp_path / "g.tsv")
    for load in graph_store._LOADERS.values():
        ask, count = load(iter(store))
        assert count == len(store)
        for head in store.heads:
            assert len(ask(head)) == min(2, store.degree(head))  # type: ignore[arg-type]


def test_a_small_run_says_all_figures_and_writes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {file: file.read_bytes() for file in RESULTS.glob("*.json")}
    graph_scale.main(["--triples", "1000", "--heads", "200", "--names", "300"])
    out = capsys.readouterr().out
    for kind in ("compiled", "dict of lists", "in memory", "networkx", "rdflib"):
        assert kind in out
    assert {file: file.read_bytes() for file in RESULTS.glob("*.json")} == before
