"""The estimate of a training's memory is near the measured peak."""

from __future__ import annotations

import json

import pytest

from benchmarks import memory_estimate
from benchmarks.report import RESULTS
from kbert.footprint import Load, training_memory


def test_the_smallest_case_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    before = (RESULTS / "memory_estimate.json").read_bytes()
    assert memory_estimate.main(["--quick"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("width 128, 2 layers, 128 x 32: estimated") and told.count("\n") == 1
    assert 0.5 < float(told.rpartition(" ")[2]) < 2
    assert (RESULTS / "memory_estimate.json").read_bytes() == before


def test_the_written_estimates_are_those_of_today() -> None:
    """A changed formula must be measured again."""
    told = json.loads((RESULTS / "memory_estimate.json").read_bytes())
    assert len(told["cases"]) == len(memory_estimate.CASES)
    for case, found in zip(memory_estimate.CASES, told["cases"], strict=True):
        count = found["parameters"]
        load = Load(slots=case.rows * case.length, length=case.length)
        memory = training_memory(case.config, load, parameters=count, trained=count)
        assert memory.total == found["estimated"]
        assert found["ratio"] == pytest.approx(found["estimated"] / found["measured"], abs=1e-3)
        assert 1 / 1.5 < found["ratio"] < 1.5
