"""The figures in the README are those of the result files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.data import REPOSITORY
from benchmarks.report import RESULTS
from benchmarks.summary import BEGIN, END, insert, results

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_readme_quotes_the_result_files() -> None:
    assert insert(README, results()) == README


def test_a_changed_figure_would_be_noticed(tmp_path: Path) -> None:
    for file in RESULTS.glob("*.json"):
        content = json.loads(file.read_bytes())
        if file.stem == "quality_sst":
            content["summary"]["none"]["test"]["accuracy"]["mean"] = 0.123
        (tmp_path / file.name).write_text(json.dumps(content), encoding="utf-8")
    assert insert(README, results(tmp_path)) != README


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.name)
def test_a_result_says_where_it_comes_from(file: Path) -> None:
    made = json.loads(file.read_bytes())["environment"]
    assert made["command"].startswith("python -m benchmarks.") and made["versions"]["torch"]
    assert made["cpu"] and made["date"]
    text = file.read_text(encoding="utf-8")
    assert "/work" not in text and "/tmp" not in text and "/root" not in text


def test_marks_are_needed() -> None:
    assert insert(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="marks"):
        insert("no marks", "new")
