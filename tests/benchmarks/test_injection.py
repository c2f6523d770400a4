"""The injection benchmark on a tiny graph: what it measures and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import injection
from benchmarks.injection import Bench, measure
from benchmarks.stages import taken_apart
from kbert.tree import SentenceTree

TEXTS = ["我在北京大学", "他们去上海", "天气很好", "Beijing 2008 在北京", "上海和北京"] * 3
PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *dict.fromkeys("我在北京大学他们去上海天气很好和首都中国城市预热"),
]
STAGES = [
    "tokenise",
    "find mentions",
    "choose and tokenise facts",
    "build the tree",
    "the rest",
]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    graph, vocab = tmp_path / "tiny.spo", tmp_path / "vocab.txt"
    graph.write_text("北京\t首都\t中国\n上海\t是\t城市\n北京大学\t在\t北京\n", encoding="utf-8")
    vocab.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    loaded, seconds = Bench.load(graph, vocab)
    assert list(seconds) == ["graph", "index", "tokenizer"]
    assert all(value > 0 for value in seconds.values())
    return loaded


def test_trees_rebuild_from_their_parts(bench: Bench) -> None:
    inject = bench.injector()
    for text in TEXTS:
        tree = inject(text)
        trunk, anchors = taken_apart(tree)
        assert SentenceTree.build(trunk, anchors, text=text) == tree
    assert any(inject(text).nodes for text in TEXTS)


def test_figures_fit_together(bench: Bench) -> None:
    result = measure(bench, TEXTS, rounds=2, chunk=4)
    rates = result["sentences_per_second"]
    assert list(rates) == ["first pass", "later pass", "naive"]
    assert all(rate.n == 2 and rate.median > 0 for rate in rates.values())
    assert result["times_naive"].n == 2 * 4  # 15 sentences in chunks of 4, two rounds
    stages = result["microseconds_per_sentence"]
    assert list(stages) == STAGES
    assert sum(stages.values()) == pytest.approx(1e6 / rates["first pass"].median)
    assert result["times_quoted_original"] == pytest.approx(rates["first pass"].median / 460)
    assert result["corpus"]["mentions_with_facts_per_sentence"] == pytest.approx(5 / 5)
    assert result["corpus"]["facts_per_sentence"] == pytest.approx(1.0)
    assert list(result["microseconds_beside"]) == ["tree.array()", "Batch of 32, arrays included"]


def test_an_injector_of_the_benchmark_remembers_nothing(bench: Bench) -> None:
    first, second = bench.injector(), bench.injector()
    assert first.tokenizer is not second.tokenizer


def test_without_data_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KBERT_DATA", str(tmp_path / "none"))
    assert injection.main(["--quick", "--results", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.data
def test_the_quick_run_writes_its_result(tmp_path: Path, data_dir: Path) -> None:
    assert injection.main(["--quick", "--results", str(tmp_path)]) == 0
    content = json.loads((tmp_path / "injection-quick.json").read_bytes())
    assert list(content["corpora"]) == ["chnsenticorp", "book_review"]
    assert content["environment"]["command"].startswith("python -m benchmarks.injection --quick")
    assert content["original_quoted"]["measured_in_this_run"] is False
    assert all(corpus["sentences"] == 200 for corpus in content["corpora"].values())
    assert str(data_dir) not in json.dumps(content["corpora"])
