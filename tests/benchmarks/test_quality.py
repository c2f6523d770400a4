"""The quality benchmark with a stand-in for training; one real run is marked slow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import quality
from benchmarks.experiments import Experiment
from benchmarks.quality import measure, report, summary
from kbert.errors import RunError

PLAN = Experiment(
    "demo",
    None,
    {"graph": ("--kg", "${HERE}/kg.spo"), "none": ("--kg", "none")},
    {"HERE": "/some/folder"},
    (),
)


class FakeTraining:
    """Stands in for `kbert.train`: the test score is 0.8 with a graph, 0.5 without, + seed / 10."""

    def __init__(self, *, fail_at: int = 99) -> None:
        self.calls: list[list[str]] = []
        self.fail_at = fail_at

    def __call__(self, flags: Sequence[str], paths: Mapping[str, str]) -> dict[str, Any]:
        self.calls.append(list(flags))
        if len(self.calls) == self.fail_at:
            raise RunError("ended with status 1")
        score = (0.5 if "none" in flags else 0.8) + int(flags[flags.index("--seed") + 1]) / 10
        return {
            "dev": {"accuracy": score - 0.1},
            "test": {"accuracy": score},
            "test_majority": 0.5,
            "wall_seconds": 3.0,
            "settings": {"kg": flags[1]},
        }


def run(training: FakeTraining, known: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []

    def keep(records: list[dict[str, Any]]) -> None:
        kept[:] = records

    try:
        measure(PLAN, (1, 2), train=training, known=known, keep=keep)
    except RunError:
        assert training.fail_at < 99
    return kept


def test_every_arm_runs_with_every_seed() -> None:
    training = FakeTraining()
    records = run(training)
    assert [(record["arm"], record["seed"]) for record in records] == [
        ("graph", 1),
        ("none", 1),
        ("graph", 2),
        ("none", 2),
    ]
    assert training.calls[0] == ["--kg", "/some/folder/kg.spo", "--seed", "1"]


def test_paths_of_the_machine_do_not_get_into_records() -> None:
    records = run(FakeTraining())
    assert records[0]["flags"][1] == "${HERE}/kg.spo"
    assert records[0]["settings"]["kg"] == "${HERE}/kg.spo"
    assert "/some/folder" not in json.dumps(records)


def test_the_summary_pairs_seeds() -> None:
    found = summary(run(FakeTraining()))
    assert found["graph"]["test"]["accuracy"].mean == pytest.approx(0.95)
    assert found["graph"]["test"]["accuracy"].sd == pytest.approx(0.005**0.5)
    gain = found["graph"]["test_gain_over_none"]["accuracy"]
    assert gain.mean == pytest.approx(0.3)
    assert gain.sd == pytest.approx(0, abs=1e-9)
    assert found["none"]["test_gain_over_none"] == {}
    assert found["none"]["dev"]["accuracy"].mean == pytest.approx(0.55)
    text = report(found)
    assert "0.9500 ± 0.0707" in text and "(majority label)" in text and "0.5000" in text


def test_an_interrupted_session_keeps_what_it_has_and_resumes() -> None:
    broken = FakeTraining(fail_at=3)
    kept = run(broken)
    assert len(kept) == 2
    found = summary(kept[:1])  # an arm alone is summarised, too
    assert found["graph"]["test_gain_over_none"] == {}
    again = FakeTraining()
    assert run(again, known=kept) == run(FakeTraining())
    assert len(again.calls) == 2


def test_runs_of_another_recipe_are_not_taken_up() -> None:
    known = [{**record, "recipe": "epochs: 9\n"} for record in run(FakeTraining())]
    training = FakeTraining()
    run(training, known=known)
    assert len(training.calls) == 4


def test_the_result_file_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality, "train", FakeTraining(fail_at=4))
    arguments = ["sample", "--results", str(tmp_path)]
    assert quality.main(arguments) == 2
    file = tmp_path / "quality_sample.json"
    assert len(json.loads(file.read_bytes())["runs"]) == 3
    training = FakeTraining()
    monkeypatch.setattr(quality, "train", training)
    assert quality.main([*arguments, "--resume"]) == 0
    content = json.loads(file.read_bytes())
    assert len(training.calls) == 6
    assert len(content["runs"]) == 9
    assert set(content["summary"]) == {"cn_dbpedia", "cn_dbpedia, no facts", "none"}
    assert "| cn_dbpedia" in capsys.readouterr().out
    file.write_text("{}", encoding="utf-8")
    assert quality.main([*arguments, "--resume"]) == 2


@pytest.mark.slow
def test_a_real_run(tmp_path: Path) -> None:
    arguments = ["sample", "--quick", "--seeds", "1", "--results", str(tmp_path)]
    assert quality.main(arguments) == 0
    content = json.loads((tmp_path / "quality_sample-quick.json").read_bytes())
    assert [run["arm"] for run in content["runs"]] == ["cn_dbpedia", "cn_dbpedia, no facts", "none"]
    assert all(run["settings"]["epochs"] == 1 for run in content["runs"])
    assert all(0 <= run["test"]["accuracy"] <= 1 for run in content["runs"])
