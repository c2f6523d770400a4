"""Reports of runs over triples and of their evaluations, and pages of explanations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chromium import Page
from kgbert import TripleScorer
from kgbert.evaluate import main as evaluate
from kgbert.explaining.explanation import Scope
from kgbert.inspect import main as inspect
from kgbert.run import Run
from kgbert.run_page import main
from kgbert.thresholds import Thresholds
from kgbert.train import main as train
from tests.kbert.run_pages.reading import check_page
from tests.kgbert.small_runs import write_data, write_run

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> \"q\" 'a' \u202eturned 😀 北京 مرحبا"
)


def hostile_data(folder: Path) -> Path:
    """Write a data set whose texts would like to be markup, one of them long."""
    write_data(folder)
    for name, prefix in (("entity2text.txt", "e"), ("relation2text.txt", "r")):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        lines = [f"{line} {HOSTILE}" for line in lines]
        if prefix == "e":
            lines[3] += " and so on" * 1_000
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the commands trained and evaluated in two ways, over hostile texts."""
    folder = tmp_path_factory.mktemp("runs")
    data = hostile_data(folder / "data")
    run = folder / "run"
    assert train([
        "--dataset", str(data), "--epochs", "2", "--layers", "1", "--width", "16", "--heads", "2",
        "--feed-forward", "32", "--max-length", "24", "--accelerator", "cpu", "--output", str(run),
    ]) == 0  # fmt: skip
    assert "Not evaluated yet" in (run / "report.html").read_text(encoding="utf-8")
    for task in ("link-prediction", "triple-classification"):
        assert evaluate([str(run), "--task", task]) == 0
    return run


def reports(run: Path) -> list[Path]:
    tasks = ("link-prediction-test", "triple-classification-test")
    return [run / "report.html", *(run / "evaluation" / task / "report.html" for task in tasks)]


def test_commands_write_whole_and_harmless_pages(trained: Path) -> None:
    for file in reports(trained):
        found = check_page(file.read_text(encoding="utf-8"))
        assert not found.named("img") and not found.named("script")
    _, links, triples = (check_page(file.read_text(encoding="utf-8")) for file in reports(trained))
    assert "<script>alert(1)</script>" in links.text and "<script>" in triples.text


def test_pages_hold_the_figures_of_the_files(trained: Path) -> None:
    page, links, triples = (
        check_page(file.read_text(encoding="utf-8")) for file in reports(trained)
    )
    metrics = json.loads((trained / "metrics.json").read_bytes())
    assert f"{metrics['epochs'][1]['loss']:.4f}" in page.text
    assert len(page.named("svg")) == 2 and len(links.named("svg")) == 1
    hrefs = [attributes["href"] for attributes in page.named("a")]
    assert hrefs == [
        "evaluation/link-prediction-test/report.html",
        "evaluation/triple-classification-test/report.html",
    ]
    assert all((trained / str(href)).is_file() for href in hrefs)
    for name, found in (("link-prediction", links), ("triple-classification", triples)):
        content = json.loads((trained / "evaluation" / f"{name}-test/metrics.json").read_bytes())
        for figure, value in content["headline"].items():
            text = f"{value:.2f}" if figure == "mr" else f"{value:.4f}"
            assert text in found.text and text in page.text
        for low, high in content["intervals"].values():
            assert f"{low:.4f} to {high:.4f}" in found.text or f"{low:.2f} to" in found.text
        assert content["protocol"] in found.text and content["worst"]
    spread = json.loads((trained / "evaluation/link-prediction-test/metrics.json").read_bytes())[
        "spread"
    ]
    assert sum(spread.values()) == 24  # both sides of 12 triples


def test_pages_are_made_again_the_same(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [file.read_bytes() for file in reports(trained)]
    for file in reports(trained):
        file.unlink()
    assert main([str(trained)]) == 0
    assert capsys.readouterr().out.split() == list(map(str, reports(trained)))
    assert [file.read_bytes() for file in reports(trained)] == before
    assert main([str(reports(trained)[1].parent)]) == 0
    assert reports(trained)[1].read_bytes() == before[1]


def test_an_evaluation_that_is_not_complete_shows_bounds(
    tmp_path: Path, trained: Path, monkeypatch: Any
) -> None:
    assert evaluate([str(trained), "--output", str(tmp_path / "part"), "--shard", "1/9"]) == 0
    text = (tmp_path / "part" / "report.html").read_text(encoding="utf-8")
    found = check_page(text)
    content = json.loads((tmp_path / "part" / "metrics.json").read_bytes())
    if not content["complete"]:
        assert "ranks are known so far" in found.text and "Bounds" in found.text


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics.json", "{", "metrics.json: damaged"),
        ("metrics.json", '{"epochs": 3}', "run.json or metrics.json is damaged"),
        ("run.json", '{"task": "classification"}', "say python -m kbert.run_page"),
        ("evaluation/link-prediction-test/metrics.json", '{"headline": 3}', "damaged"),
    ],
)
def test_broken_runs_are_one_line(
    file: str, content: str, message: str, trained: Path, tmp_path: Path, capsys: Any
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / file).write_text(content, encoding="utf-8")
    assert main([str(run)]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a triple whose texts would like to be markup."""
    folder = tmp_path_factory.mktemp("explained")
    data = hostile_data(folder / "data")
    write_run(folder / "run", data, max_length=40, thresholds=Thresholds(0.0, {}))
    page = folder / "page.html"
    arguments = ["e3", "r0", "e4", "--run", str(folder / "run"), "--html", str(page)]
    assert inspect(arguments) == 0
    assert inspect(arguments) == 2  # it is there already
    return page


def test_the_page_of_a_triple_shows_and_runs_nothing(explained: Path, capsys: Any) -> None:
    found = check_page(explained.read_text(encoding="utf-8"))
    assert not found.named("img")
    run = explained.parent / "run"
    data = Run.open(run).load_data()
    triple = ("e3", "r0", "e4")
    said = TripleScorer.from_pretrained(run).explain(triple, data=data, scope=Scope())
    for part in said.layout.parts:
        shown = part.text.replace("\u202e", "")
        assert shown[:40] in found.text.replace("\u202e", "")
    assert f"{said.probability:.4f}" in found.text and "not read" in found.text
    for each in said.contributions:
        assert f"{each.left_out:+.4f}" in found.text
    for each in said.nearest:
        assert f"{each.cosine:.3f}" in found.text
    notebook = said._repr_html_()
    assert notebook.startswith("<iframe") and "<script" not in notebook


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_complains_nothing_leaves_and_nothing_sticks_out(
    page: Page, trained: Path, explained: Path, width: int
) -> None:
    page.resize(width)
    for file in (*reports(trained), explained):
        page.open(file)
        assert page.requests == [file.as_uri()]
        assert page.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.scripts.length") == 0
        unnamed = page.evaluate(
            "Array.from(document.querySelectorAll('svg')).filter("
            "s => !s.getAttribute('aria-label') && s.getAttribute('aria-hidden') !== 'true').length"
        )
        assert unnamed == 0


@pytest.mark.browser
def test_figures_are_readable_in_the_dark_and_on_paper(page: Page, trained: Path) -> None:
    for dark, kind in ((False, "screen"), (True, "screen"), (False, "print")):
        page.media(dark=dark, kind=kind)
        page.open(trained / "report.html")
        ink, paper = page.evaluate(
            "[getComputedStyle(document.querySelector('figure.plot svg text')).fill,"
            " getComputedStyle(document.body).backgroundColor]"
        )
        light = [
            sum(map(int, colour.strip("rgba()").split(",")[:3])) / 3 for colour in (ink, paper)
        ]
        assert (light[0] > light[1]) == dark and abs(light[0] - light[1]) > 150
