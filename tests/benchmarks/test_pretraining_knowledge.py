"""The benchmark of pre-training with a graph runs, and writes what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.pretraining_knowledge import PLAIN, WAYS, main

TEXT = "我爱北京。苹果是水果。\n上海和北京是城市。\n\n库克在北京吃苹果。\n北京和上海。\n\n"


def test_every_way_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    characters = dict.fromkeys(TEXT.replace("\n", "") + "首都中国")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for name, content in {
        "vocab/google_zh_vocab.txt": "\n".join([*special, *characters]) + "\n",
        "text.txt": TEXT * 30,
        "graph.spo": "北京\t首都\t中国\n苹果\t是\t水果\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.setenv("KBERT_DATA", str(tmp_path))
    out = tmp_path / "results"
    arguments = ["--texts", "text.txt", "--kg", "graph.spo", "--length", "32", "--rounds", "2"]
    more = ["--batches", "2", "--batch-tokens", "64", "--results", str(out)]
    assert main([*arguments, *more]) == 0
    result = json.loads((out / "pretraining_knowledge.json").read_bytes())
    assert set(result["ways"]) == set(WAYS) and str(tmp_path) not in json.dumps(result["ways"])
    trunk, plain = result["ways"]["trunk"], result["ways"][PLAIN]
    assert trunk["found"]["facts"] == 180 and plain["found"] is None
    assert trunk["step_speed_against_none"]["n"] == 2
    assert trunk["step_tokens_per_second"]["median"] > 0 < result["ways"]["tails"]["targets"]
    assert "tokens/s of steps" in capsys.readouterr().out
