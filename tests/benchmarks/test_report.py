"""Statistics, the table and the result file that all benchmarks share."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report import (
    MeanSd,
    Spread,
    environment,
    known_runs,
    one_core,
    portable,
    ratios,
    table,
    write_result,
)
from kbert.errors import DataError

scores = st.lists(st.floats(0.001, 1000), min_size=1, max_size=12)


def test_spread_of_known_values() -> None:
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0, 3)
    assert Spread.of([4.0, 1.0]).median == 2.5
    assert Spread.of([5.0, 1.0, 2.0]).text(".1f") == "2.0 (1.0 to 5.0)"


def test_mean_and_sample_standard_deviation_of_known_values() -> None:
    found = MeanSd.of([0.8, 0.9, 1.0])
    assert found.mean == pytest.approx(0.9)
    assert found.sd == pytest.approx(0.1)  # sqrt((0.01 + 0 + 0.01) / 2)
    assert found.n == 3
    assert found.text(".2f") == "0.90 ± 0.10"


def test_a_single_value_has_no_deviation() -> None:
    assert MeanSd.of([0.7]) == MeanSd(0.7, None, 1)
    assert MeanSd.of([0.7]).text(".1f") == "0.7"


@given(scores)
def test_spread_bounds_its_median(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread.low <= spread.median <= spread.high
    assert {spread.low, spread.high} <= set(values)
    assert spread.n == len(values)


@given(scores, st.floats(0.5, 20))
def test_ratios_are_taken_pair_by_pair(values: list[float], factor: float) -> None:
    found = ratios([factor * value for value in values], values)
    assert found.median == pytest.approx(factor)
    assert found.low == pytest.approx(factor)
    assert found.high == pytest.approx(factor)


def test_ratios_do_not_divide_sums() -> None:
    assert ratios([1.0, 100.0, 3.0], [1.0, 10.0, 1.0]) == Spread(3.0, 1.0, 10.0, 3)
    with pytest.raises(ValueError):
        ratios([1.0, 2.0], [1.0])


def test_environment_names_command_and_machine() -> None:
    found = environment("injection", ["--rounds", "2", "--corpus", "a folder"])
    assert found["command"] == "python -m benchmarks.injection --rounds 2 --corpus 'a folder'"
    assert found["cores"] == os.cpu_count()
    assert found["cores_allowed"] == len(os.sched_getaffinity(0))
    assert found["cpu"]
    assert found["versions"]["numpy"]
    json.dumps(found)


def test_where_results_go_is_not_recorded() -> None:
    for flags in (["--results", "/my/home", "--quick"], ["--quick", "--results=/my/home"]):
        assert environment("demo", flags)["command"] == "python -m benchmarks.demo --quick"


def test_runs_of_a_result_file_are_read_back(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    assert known_runs(file) == []
    write_result("demo", {"runs": [{"seed": 1}]}, folder=tmp_path)
    assert known_runs(file) == [{"seed": 1}]
    for damaged in ("{", "[]", "{}"):
        file.write_text(damaged, encoding="utf-8")
        with pytest.raises(DataError, match=r"demo\.json: not a result of this benchmark"):
            known_runs(file)


def test_result_file_is_whole_and_named_tuples_are_objects(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    content = {"度": Spread.of([1.0, 2.0]), "runs": [{"x": MeanSd.of([1.0])}, (1, 2)]}
    file = write_result("some", content, folder=folder)
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "度": {"median": 1.5, "low": 1.0, "high": 2.0, "n": 2},
        "runs": [{"x": {"mean": 1.0, "sd": None, "n": 1}}, [1, 2]],
    }
    assert [path.name for path in folder.iterdir()] == ["some.json"]


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    file = write_result("some", {"value": 1}, folder=tmp_path)
    with pytest.raises(ValueError):
        write_result(
            "some",
            {"value": statistics.NormalDist, "worse": float("nan")} | {"value": 2},
            folder=tmp_path,
        )
    assert json.loads(file.read_bytes()) == {"value": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_paths_become_names_the_longest_first() -> None:
    names = {"A": "/data", "B": "/data/sst"}
    assert portable('{"x": "/data/sst/train", "y": "/data/zh"}', names) == (
        '{"x": "${B}/train", "y": "${A}/zh"}'
    )


def test_table_is_markdown() -> None:
    assert table([("what", "n"), ("a", "10"), ("longer", "5")]) == (
        "| what   |  n |\n|--------|----|\n| a      | 10 |\n| longer |  5 |"
    )


def test_one_core_is_given_back() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyError), one_core():
        assert len(os.sched_getaffinity(0)) == 1
        raise KeyError
    assert os.sched_getaffinity(0) == before
