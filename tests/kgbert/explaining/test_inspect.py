"""`python -m kgbert.inspect`: what it prints, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgbert.inspect import main
from tests.kgbert.runs import DATA
from tests.kgbert.runs import write_run as write_sample_run
from tests.kgbert.small_runs import write_data, write_run

TRIPLE = ["sodium_fluoride", "contains", "sodium"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_run(tmp_path_factory.mktemp("runs") / "run")


def test_it_prints_what_the_library_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kgbert import TripleScorer

    assert main([*TRIPLE, "--run", str(run), "--top", "3"]) == 0
    said = capsys.readouterr()
    from kgbert.explaining.explanation import Scope

    found = TripleScorer.from_pretrained(run).explain(tuple(TRIPLE), data=DATA, scope=Scope(top=3))
    assert said.out == found.render() + "\n" and said.err == ""
    assert said.out.startswith("sodium fluoride — contains → sodium\nprobability 0.")
    for part in ("head", "relation", "tail"):
        assert f"\n{part} asked for: rank " in said.out


def test_without_its_data_it_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "data")
    write_run(tmp_path / "run", data)
    data.rename(tmp_path / "moved")
    arguments = ["e1", "r0", "e2", "--run", str(tmp_path / "run")]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert said.err.startswith("note: ranks are raw, and no training triples are compared: ")
    assert said.err.count("\n") == 1 and "nothing left out" in said.out
    assert main([*arguments, "--dataset", str(tmp_path / "moved")]) == 0
    said = capsys.readouterr()
    assert said.err == "" and "known answers left out" in said.out


def test_a_run_that_is_not_there_is_not_asked_of_the_hub(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*TRIPLE, "--run", "runs/nothing"]) == 2  # as the hub writes its names
    assert capsys.readouterr().err == "error: --run runs/nothing: no such run folder\n"


def test_who_is_not_known_is_offered_what_helps_one_triple(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sodium_flouride", *TRIPLE[1:], "--run", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.endswith("on_missing 'text' reads it as it stands, 'id' as words\n")
    assert "did you mean 'sodium_fluoride'?" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--candidates", "many"], "--candidates is 'many'; give a number, or all"),
        (["--candidates", "1"], "candidates is 1; give 2 or more"),
        (["--top", "0"], "top is 0; give 1 or more"),
        (["--neighbours", "-1"], "neighbours is -1; give 0 or more"),
        (["--dataset", "/nowhere"], "/nowhere"),
    ],
)
def test_mistakes_are_one_line(
    changes: list[str], message: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRIPLE, "--run", str(run), *changes]) == 2
    said = capsys.readouterr()
    assert said.out == "" and message in said.err and said.err.count("\n") == 1


def test_a_page_that_cannot_be_is_refused_before_a_model_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "page.html"
    there.write_text("mine", encoding="utf-8")
    for file, message in (
        (tmp_path, "is a folder; name a file"),
        (tmp_path / "no" / "x.html", "no is no folder; make it first"),
        (tmp_path / ("x" * 300), "cannot be written"),
        (there, "exists already; choose another --html or --overwrite"),
    ):
        assert main([*TRIPLE, "--run", str(tmp_path / "absent"), "--html", str(file)]) == 2
        said = capsys.readouterr()
        assert said.out == "" and message in said.err and said.err.count("\n") == 1
    assert there.read_text(encoding="utf-8") == "mine"


def test_unknown_parts_and_runs_are_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sodium_fluorid", *TRIPLE[1:], "--run", str(run)]) == 2
    assert "did you mean 'sodium_fluoride'" in capsys.readouterr().err
    assert main([*TRIPLE, "--run", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_does_no_harm_to_the_terminal(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[31mred\x1b[0m\u202eturned\nsecond line " + "so " * 4_000
    assert main([name, *TRIPLE[1:], "--run", str(run), "--on-missing", "text"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\u202e" not in out and "second" in out.splitlines()[0]
    assert max(map(len, out.splitlines())) < 5_000
    assert "cut of the head: " in out
