"""The command that shows what was injected: what it draws, what it writes, what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import kbert
from kbert.inspect import main
from kbert.widths import width

Runs = Callable[[str], Path]
Capture = pytest.CaptureFixture[str]
GRAPH = "北京\t首都\t中国\n北京\t是\t城市\n北京\t古称\t燕京\nApple\tis a\tcompany\n"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    file = tmp_path / "graph.spo"
    file.write_text(GRAPH, encoding="utf-8")
    return file


def shown(capsys: Capture, *arguments: str | Path) -> tuple[str, str]:
    assert main([str(argument) for argument in arguments]) == 0
    out, err = capsys.readouterr()
    assert "error" not in err
    return out, err


def refused(capsys: Capture, *arguments: str | Path) -> str:
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    out, err = capsys.readouterr()
    assert (status, out) == (2, "") and "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and err.splitlines()[-1] == lines[0]
    return lines[0].removeprefix("error: ")


def test_the_tree_as_it_is_drawn(graph: Path, capsys: Capture) -> None:
    out, _ = shown(capsys, "Apple 在北京", "--kg", graph)
    lines = out.splitlines()
    assert re.fullmatch(r"\d+ tokens, 1\d of them facts; 0 facts did not fit; graph .*", lines[1])
    assert [lines[0], *lines[2:]] == [
        "Apple 在北京",
        "├─ Apple  characters 0–5, soft 1",
        "│  └─ is a: company  soft 2–4",
        "└─ 北京  characters 7–9, soft 3–4",
        "   ├─ 首都: 中国  soft 5–8",
        "   ├─ 是: 城市    soft 5–7",
        "   └╌ 古称: 燕京  left out: beyond the mention's budget (--max-facts 2)",
    ]


def test_columns_stand_under_each_other_in_chinese(graph: Path, capsys: Capture) -> None:
    out, _ = shown(capsys, "北京", "--kg", graph)
    rows = [line for line in out.splitlines() if "soft 3" in line or "left out" in line]
    columns = {width(re.split("soft|left out", row)[0]) for row in rows}
    assert len(rows) == 3 and len(columns) == 1


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--max-facts", "1"], "beyond the mention's budget (--max-facts 1)"),
        (["--max-branches", "1"], "the sentence's budget is used up (--max-branches 1)"),
        (["--max-length", "8"], "too long for what is left of the sequence (--max-length 8)"),
        (["--deny-relations", "是"], "its relation is denied (--deny-relations)"),
        (["--allow-relations", "首都"], "its relation is not allowed (--allow-relations)"),
        (["--max-fact-share", "0.5"], "too long for what is left (--max-fact-share 0.5"),
    ],
)
def test_why_a_fact_is_left_out(
    graph: Path, capsys: Capture, flags: list[str], reason: str
) -> None:
    out, _ = shown(capsys, "北京", "--kg", graph, *flags)
    (line,) = [line for line in out.splitlines() if "是: 城市" in line]
    assert reason in line


def test_a_text_without_names_and_one_that_is_cut(graph: Path, capsys: Capture) -> None:
    out, _ = shown(capsys, "我爱吃", "--kg", graph)
    assert out.splitlines()[-1] == "(no name of the graph is in this text)"
    out, _ = shown(capsys, "我" * 20 + "北京", "--kg", graph, "--max-length", "10")
    assert "nothing injected, the text is cut before its end (--max-length 10)" in out
    assert out.splitlines()[-1] == "(14 tokens of the text were cut)"


def test_nothing_steers_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "graph.spo"
    file.write_text("北京\t\x1b[31mred\u202e\t中国\n", encoding="utf-8")
    out, _ = shown(capsys, "\x1b]0;x\x07北京", "--kg", file)
    assert "␛[31mred⟨U+202E⟩: 中国" in out
    assert not any(ord(char) < 0x20 for char in out if char != "\n") and "\u202e" not in out


def test_a_model_predicts_with_each_fact_taken_away(
    runs: Runs, tmp_path: Path, capsys: Capture
) -> None:
    run, page = runs("classification"), tmp_path / "page.html"
    out, err = shown(capsys, "我爱北京的苹果", "--run", run, "--html", page)
    (prediction,) = kbert.load(run).predict(["我爱北京的苹果"])
    assert prediction.label is not None
    first = f"predicted: {prediction.label} {prediction.probabilities[prediction.label]:.4f}"
    assert out.splitlines()[2].startswith(first)
    assert len(re.findall(r"Δ [+-]\d\.\d{4} without it", out)) == 2
    assert "effects: taking away 2 facts" in err and f"page: {page}" in err
    html = page.read_text(encoding="utf-8")
    for part in ("What each fact does", "Attention", "Visible matrix", "我爱北京的苹果"):
        assert part in html


def test_effects_can_be_left_out(runs: Runs, capsys: Capture) -> None:
    out, err = shown(capsys, "我爱北京", "--run", runs("classification"), "--no-effects")
    assert "predicted: " in out and "Δ" not in out and "effects" not in err


def test_other_settings_than_the_runs_are_told(runs: Runs, capsys: Capture) -> None:
    out, err = shown(capsys, "北京", "--run", runs("classification"), "--max-facts", "0")
    assert "note: --max-facts is 0; the run was trained with 2" in err
    assert "left out: beyond the mention's budget (--max-facts 0)" in out


def test_pairs_and_tags(runs: Runs, capsys: Capture) -> None:
    out, _ = shown(capsys, "我在北京", "--pair", "他在北京", "--run", runs("pair"))
    assert "我在北京 ‖ 他在北京" in out and "characters 2–4 of the second text" in out
    out, _ = shown(capsys, "库克去上海", "--run", runs("tagging"))
    assert "predicted: 库/B-PER 克/I-PER 去/O 上/B-LOC 海/I-LOC" in out


def test_what_is_refused(runs: Runs, graph: Path, tmp_path: Path, capsys: Capture) -> None:
    run, page = runs("classification"), tmp_path / "page.html"
    page.write_text("mine", encoding="utf-8")
    cases: list[tuple[list[str | Path], str]] = [
        (["北京"], "name a graph with --kg, or a trained run with --run"),
        (["北京", "--kg", tmp_path / "no.spo"], "no.spo"),
        ([" ", "--kg", "absent"], "TEXT is ' '; write a sentence"),
        (
            ["北京", "--kg", graph, "--html", page],
            "exists already; choose another --html or --overwrite",
        ),
        (["北京", "--kg", "absent", "--html", tmp_path / "no" / "x.html"], "no is no folder; make"),
        (["北京", "--kg", "absent", "--html", tmp_path, "--overwrite"], "is a folder; name a file"),
        (["北京", "--kg", graph, "--html", tmp_path / ("x" * 300)], "cannot be written"),
        (["北京", "--kg", graph, "--overwrite"], "--overwrite has no effect without --html"),
        (["北京", "--kg", graph, "--no-effects"], "have no effect without --run"),
        (["北京", "--kg", graph, "--max-length", "3"], "--max-length must be between"),
        (["北京", "--kg", graph, "--deny-relations", "x"], "has no relation"),
        (["北京", "--kg", graph, "--vocab", tmp_path / "no.txt"], "no.txt"),
        (["北京", "--run", run, "--vocab", "v.txt"], "--vocab has no effect beside --run"),
        (["北京", "--run", run, "--kg", graph], "to use it all the same: --allow-other-graph"),
        (["北京", "--run", run, "--pair", "x"], "was trained on single texts: leave --pair out"),
        (["北京", "--run", runs("pair")], "was trained on pairs of texts: say --pair"),
        (["北京", "--run", run, "--max-length", "9999"], "has 512 positions"),
        (["北京", "--run", tmp_path], "not a run of kbert.train"),
        (["北京\udcff", "--kg", graph], "TEXT is not UTF-8"),
    ]
    for arguments, message in cases:
        assert message in refused(capsys, *arguments), arguments
    assert page.read_text(encoding="utf-8") == "mine"
    shown(capsys, "北京", "--kg", graph, "--html", page, "--overwrite")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
