"""The quality benchmark hands flags on, keeps what it has, and shows no path of the machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.data import REPOSITORY
from benchmarks.kgbert_quality import QUICK, TASKS, measure, report
from kgbert.flags import add_flags
from kgbert.settings import settings_from

PATHS = {"KBERT_DATA": "/somewhere/data", "KBERT_MINILM": "/somewhere/minilm"}


class Commands:
    """Stand in for both commands: write what they write."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def __call__(self, module: str, flags: Sequence[str], paths: Mapping[str, str]) -> None:
        self.calls.append((module, list(flags)))
        folder = Path(flags[flags.index("--output") + 1])
        folder.mkdir()
        if module == "kgbert.train":
            seed = int(flags[flags.index("--seed") + 1])
            settings = {"seed": seed, "output": str(folder), "train_share": 0.2}
            settings["init"] = PATHS["KBERT_MINILM"]
            content = {"settings": settings, "protocol": "trained", "data": {"path": "/p"}}
            (folder / "run.json").write_text(json.dumps(content))
            return
        run = json.loads((Path(flags[0]) / "run.json").read_bytes())
        headline = {"mr": float(run["settings"]["seed"]), "mrr": 0.5}
        content = {"protocol": "p", "headline": headline, "original": {}, "figures": {}}
        (folder / "metrics.json").write_text(json.dumps(content))


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
    text = report("umls", task, records)
    assert "| mr " in text and "2.0000" in text and "1.0000" in text and "1.47" in text
    assert "trained on 20% of the training triples" in text
    again = measure(
        task, (1, 2, 3, 4), paths=PATHS, run=commands, known=records, keep=lambda records: None
    )
    assert len(commands.calls) == 8 and again[:3] == records


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
