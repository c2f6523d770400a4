"""The report of a run: right figures, whole pages, one line where something is missing."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kbert
from graphs import TripleStore
from kbert.run_page import main, report_on, write_page
from kbert.run_pages.finetuned import drawn
from kbert.run_pages.mistakes import examine
from tests.kbert.run_pages.reading import Reader, check_page

Runs = Callable[[str], Path]
HOSTILE = '<img src=x onerror=alert(1)> "quoted" \u202eturned 😀 北京 مرحبا'


@pytest.fixture(scope="module")
def run(train: Callable[..., Path]) -> Path:
    """A run that makes mistakes."""
    return train("classification", epochs=2, learning_rate=1e-6)


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "run"))


@pytest.mark.parametrize("table", ["pair", "tagging"])
def test_what_is_examined_is_what_training_measured(table: str, runs: Runs) -> None:
    folder = runs(table)
    tested = examine(folder)
    assert tested is not None
    measured = json.loads((folder / "metrics.json").read_bytes())["test"]
    for name, each in tested.estimates.items():
        assert each.value == pytest.approx(measured[name])
        assert each.low <= each.value <= each.high
    if tested.counts is not None:
        assert tested.counts.sum() == tested.examples == tested.possible
        assert tested.wrong == tested.counts.sum() - np.trace(tested.counts)


def test_the_worst_are_wrong_and_in_order(run: Path) -> None:
    tested = examine(run)
    assert tested is not None and tested.wrong
    model = kbert.load(run)
    for each in tested.worst:
        (found,) = model.predict([each.text])
        assert found.label == each.said != each.right
        shares = found.probabilities
        assert each.badness == pytest.approx(shares[each.said] - shares[each.right], abs=1e-6)
        assert each.tree == model.inject(each.text)
    badness = [each.badness for each in tested.worst]
    assert badness == sorted(badness, reverse=True)


def test_the_page_has_it_all(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(run, tmp_path)
    assert main([str(folder)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{folder / 'report.html'}\n" and said.err == ""
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = check_page(text)
    metrics = json.loads((folder / "metrics.json").read_bytes())
    for wanted in (
        f"{metrics['test']['accuracy']:.4f}", f"{metrics['dev']['macro_f1']:.4f}", "padding",
        "Confusion", "wrong predictions", "--learning-rate", "fingerprint", "graph.spo",
        metrics["hardware"], "right label", "test.tsv:",
        "└─ ",
    ):  # fmt: skip
        assert wanted in found.text, wanted
    tested = examine(folder)
    assert tested is not None
    trees = [svg for svg in found.named("svg") if svg.get("class") == "tree"]
    assert all(tree["role"] == "img" for tree in trees)
    assert len(trees) == 2 * len(tested.worst) > 0  # for wide windows and for narrow ones
    assert len(found.named("svg")) == 2 + len(trees)  # and the curves
    for each, tree in zip(tested.worst, trees[::2], strict=True):
        assert each.text in (tree["aria-label"] or "")
    assert write_page(folder).read_text(encoding="utf-8") == text  # made again, the same


def test_trees_are_drawn_with_all_their_tokens(run: Path) -> None:
    tested = examine(run)
    assert tested is not None
    each = next(each for each in tested.worst if each.tree is not None and each.tree.nodes)
    assert each.tree is not None
    drawing = Reader(drawn(each.tree, each.pieces))
    chips = [g for g in drawing.named("g") if str(g["class"]).startswith("token ")]
    assert len(chips) == 2 * len(each.tree) == 2 * len(each.pieces)
    assert sum(g["class"] == "token branch" for g in chips) == 2 * each.tree.trunk.count(False) > 0
    assert not any("role" in g or "tabindex" in g for g in chips)  # a report has no script
    for piece in each.pieces:
        assert piece in drawing.text


def test_a_tree_that_is_too_long_to_draw_is_written(make_tokenizer: Any) -> None:
    tokenizer = make_tokenizer("北京的首都中国")
    store = TripleStore.from_triples([("北京", "首都", "中国")])
    tree = kbert.Injector(store, tokenizer, max_length=256)("北京" + "的" * 200)
    found = Reader(drawn(tree, ()))
    assert not found.named("svg") and "首都: 中国" in found.text


def test_the_command_writes_it(small_data: Path, tmp_path: Path, capsys: Any) -> None:
    from kbert.train import main as train_main

    output = tmp_path / "run"
    status = train_main([
        "--data", str(small_data / "classification"), "--kg", str(small_data / "graph.spo"),
        "--epochs", "1", "--layers", "1", "--width", "16", "--heads", "2", "--feed-forward", "32",
        "--accelerator", "cpu", "--output", str(output),
    ])  # fmt: skip
    assert status == 0
    assert f"report: {output / 'report.html'}" in capsys.readouterr().err
    check_page((output / "report.html").read_text(encoding="utf-8"))


def test_tags_have_their_types(runs: Runs, tmp_path: Path) -> None:
    found = check_page(write_page(copied(runs("tagging"), tmp_path)).read_text(encoding="utf-8"))
    assert "Entities by type" in found.text and "PER" in found.text


def test_texts_names_and_settings_cannot_become_markup(
    small_data: Path, train: Callable[..., Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_data / "classification", data)
    long = "北京的 " * 2_500
    lines = ["label\ttext_a", f"{HOSTILE}\t{HOSTILE} 北京", f"好\t<script>x</script> {long}"]
    (data / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (data / "train.tsv").open("a", encoding="utf-8") as file:
        file.write(f"{HOSTILE}\t我爱{HOSTILE}\n")
    graph = tmp_path / "graph.spo"
    graph.write_text(f"北京\t<b>{HOSTILE}\t<script>y</script>\n", encoding="utf-8")
    run = train("classification", data=str(data), kg=str(graph), learning_rate=1e-6)
    found = check_page(write_page(run).read_text(encoding="utf-8"))
    assert not found.named("img") and not found.named("b")
    assert "<img src=x onerror=alert(1)>" in found.text and "<script>" in found.text


def test_without_data_or_graph_it_says_so(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(run, tmp_path)
    content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    content["settings"]["data"] = str(tmp_path / "gone")
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    assert main([str(folder)]) == 0
    assert capsys.readouterr().err.startswith("note: the report shows no mistakes: ")
    found = check_page((folder / "report.html").read_text(encoding="utf-8"))
    assert "could not be predicted again" in found.text and "Figures on dev" in found.text
    assert main([str(folder), "--no-test", "-o", str(tmp_path / "other.html")]) == 0
    assert capsys.readouterr().err == ""
    assert "not asked for" in (tmp_path / "other.html").read_text(encoding="utf-8")


def test_without_matplotlib_it_is_said_once(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    find = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name == "matplotlib" else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    folder = copied(run, tmp_path)
    report_on(folder)
    said = capsys.readouterr().err
    assert said.count("matplotlib is not installed") == 1 and said.count("\n") == 2
    found = check_page((folder / "report.html").read_text(encoding="utf-8"))
    assert "matplotlib is not installed" in found.text
    assert all(svg["class"] == "tree" for svg in found.named("svg"))  # which need no matplotlib


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("run.json", "{", "run.json: damaged"),
        ("run.json", "[]", "run.json: damaged: not an object"),
        ("metrics.json", '{"epochs": [3]}', "run.json or metrics.json is damaged"),
        ("run.json", '{"task": "kgbert"}', "say python -m kgbert.run_page"),
    ],
)
def test_broken_runs_are_one_line(
    file: str, content: str, message: str, run: Path, tmp_path: Path, capsys: Any
) -> None:
    folder = copied(run, tmp_path)
    (folder / file).write_text(content, encoding="utf-8")
    assert main([str(folder), "--no-test"]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and "Traceback" not in said
    report_on(folder)  # at the end of a training it is a note
    assert "note: no report was written: " in capsys.readouterr().err
    assert not (folder / "report.html").exists()


def test_what_is_no_run_is_one_line(tmp_path: Path, capsys: Any) -> None:
    assert main([str(tmp_path / "absent")]) == 2
    assert "no such run folder" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2
    assert "not a run: it has no run.json" in capsys.readouterr().err
