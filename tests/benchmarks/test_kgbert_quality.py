"""The quality benchmark hands flags on, keeps what it has, and shows no path of the machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.data import REPOSITORY
from benchmarks.kgbert_quality import QUICK, TASKS, measure, report
from kbert.errors import RunError
from kgbert.flags import add_flags
from kgbert.settings import settings_from

PATHS = {"KBERT_DATA": "/somewhere/data", "KBERT_MINILM": "/somewhere/minilm"}


class Commands:
    """Stand in for both commands: write what they write."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def __call__(self, module: str, flags: Sequence[str]) -> None:
        self.calls.append((module, list(flags)))
        folder = Path(flags[flags.index("--output") + 1])
        folder.mkdir()
        if module == "kgbert.train":
            parser = argparse.ArgumentParser()
            parser.add_argument("--config")
            add_flags(parser)
            given = vars(parser.parse_args(list(flags)))
            recipe = given.pop("config", None)
            settings = settings_from(recipe, given)
            content = {"settings": settings.to_mapping(), "protocol": "trained"}
            content["data"] = {"path": "/p"}
            (folder / "run.json").write_text(json.dumps(content))
            (folder / "metrics.json").write_text('{"seconds": 7.5, "epochs": [{"loss": 0.5}]}')
            return
        run = json.loads((Path(flags[0]) / "run.json").read_bytes())
        headline = {"mr": float(run["settings"]["seed"]), "mrr": 0.5}
        content = {"protocol": "p", "headline": headline, "original": {}, "figures": {}}
        (folder / "metrics.json").write_text(json.dumps(content))


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, path in PATHS.items():
        monkeypatch.setenv(name, path)


def test_every_seed_is_trained_and_evaluated_once() -> None:
    commands, kept = Commands(), list[int]()
    task = TASKS["umls"]
    records = measure(
        task, (1, 2, 3), paths=PATHS, run=commands, keep=lambda records: kept.append(len(records))
    )
    assert kept == [1, 2, 3]
    assert [module for module, _ in commands.calls] == ["kgbert.train", "kgbert.evaluate"] * 3
    assert "somewhere" not in json.dumps(records) and "/p" not in json.dumps(records)
    assert records[0]["settings"]["init"] == "${KBERT_MINILM}"
    assert records[0]["train_seconds"] == 7.5
    text = report("umls", task, records)
    assert "| mr " in text and "2.0000" in text and "1.0000" in text and "1.47" in text
    assert "trained on 100% of the training triples" in text
    again = measure(
        task, (1, 2, 3, 4), paths=PATHS, run=commands, known=records, keep=lambda records: None
    )
    assert len(commands.calls) == 8 and again[:3] == records


def test_runs_that_are_kept_are_not_trained_again_unless_they_are_others(tmp_path: Path) -> None:
    commands, task = Commands(), TASKS["wn11"]

    def go(*, extra: Sequence[str] = ()) -> list[dict[str, Any]]:
        return measure(
            task,
            (1,),
            paths=PATHS,
            run=commands,
            extra=extra,
            folders=tmp_path,
            keep=lambda records: None,
        )

    first = go()
    length = int(task.flags[task.flags.index("--max-length") + 1])
    assert (tmp_path / "seed1/run.json").is_file() and first[0]["train_share"] == 1.0
    assert first[0]["settings"]["max_length"] == length
    again = go()
    assert [module for module, _ in commands.calls] == [
        *("kgbert.train", "kgbert.evaluate", "kgbert.evaluate")
    ]
    assert {**again[0], "evaluate_seconds": 0} == {**first[0], "evaluate_seconds": 0}
    with pytest.raises(RunError, match="another epochs"):
        go(extra=("--epochs", "7"))


@pytest.mark.parametrize("name", list(TASKS))
def test_flags_are_settings_of_the_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KBERT_MINILM", PATHS["KBERT_MINILM"])
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    add_flags(parser)
    found = vars(parser.parse_args([*TASKS[name].flags, *QUICK]))
    config = found.pop("config", None)
    recipe = None if config is None else REPOSITORY / config
    settings = settings_from(recipe, found)
    assert settings.init in ("${KBERT_MINILM}", PATHS["KBERT_MINILM"])
    assert settings.epochs == 1 and (settings.task == "link-prediction") == (name == "umls")
