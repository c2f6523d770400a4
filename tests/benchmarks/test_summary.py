"""The figures in the README are those of the result files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.data import REPOSITORY
from benchmarks.report import RESULTS
from benchmarks.summary import BEGIN, END, insert, results

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_readme_quotes_the_result_files() -> None:
    assert insert(README, results()) == README


def changed(folder: Path, name: str, keys: Sequence[str], value: float) -> Path:
    """Copy the result files into `folder`, with another value at one place of one of them."""
    for file in RESULTS.glob("*.json"):
        content = json.loads(file.read_bytes())
        if file.stem == name:
            *path, last = keys
            place = content["summary"]
            for key in path:
                place = place[key]
            assert last in place
            place[last] = value
        (folder / file.name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_changed_figure_would_be_noticed(tmp_path: Path) -> None:
    keys = ("none", "test", "accuracy", "mean")
    assert insert(README, results(changed(tmp_path, "quality_sst", keys, 0.123))) != README


def test_gains_are_seed_by_seed_and_losses_are_said(tmp_path: Path) -> None:
    keys = ("DBpedia ontology", "test_gain_over_none", "accuracy")
    once = changed(tmp_path, "quality_trec", (*keys, "mean"), -0.0123)
    text = results(once)
    assert "DBpedia ontology against none: −1.2 ± " in text
    assert "HowNet against none: +" in text


def test_a_result_of_a_gpu_is_shown_where_there_is_one(tmp_path: Path) -> None:
    folder = changed(tmp_path, "", (), 0.0)
    content = json.loads((folder / "pretraining_step.json").read_bytes())
    (folder / "pretraining_step_cuda.json").unlink(missing_ok=True)
    assert "it has not run yet" in results(folder)
    content["environment"]["gpu"] = "NVIDIA Something"
    (folder / "pretraining_step_cuda.json").write_text(json.dumps(content), encoding="utf-8")
    text = results(folder)
    assert "step on NVIDIA Something" in text and "it has not run yet" not in text


def test_a_ranking_on_a_gpu_is_shown_where_there_is_one(tmp_path: Path) -> None:
    folder = changed(tmp_path, "", (), 0.0)
    content = json.loads((folder / "ranking_speed.json").read_bytes())
    content["environment"]["gpu"] = "NVIDIA Something"
    content["throughput"] = {
        "flops_per_second": 3e14,
        "share_of_peak": 0.3,
        "hours_at_this_rate": {"WN18RR": 1.49, "FB15k-237": 0.9},
    }
    (folder / "ranking_speed_cuda.json").write_text(json.dumps(content), encoding="utf-8")
    text = results(folder)
    assert "ranking on NVIDIA Something" in text and "300 TFLOP a second, 30% of" in text


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.name)
def test_a_result_says_where_it_comes_from(file: Path) -> None:
    content = json.loads(file.read_bytes())
    for part in content.get("campaigns", [content]):  # each of which may have run elsewhere
        made = part["environment"]
        assert made["command"].startswith("python -m benchmarks.") and made["versions"]["torch"]
        assert made["cpu"] and made["date"]
    text = file.read_text(encoding="utf-8")
    assert "/work" not in text and "/tmp" not in text and "/root" not in text


def test_marks_are_needed() -> None:
    assert insert(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="marks"):
        insert("no marks", "new")
