"""The benchmark of data and negatives runs, and its peer does what it is said to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import knowledge_data
from kgbert.data import load_data


def test_the_plain_reader_reads_all_lines() -> None:
    folder = Path(__file__).resolve().parents[2] / "kgbert" / "sample"
    data = load_data("sample")
    lines = len(data.train) + len(data.valid) + len(data.test)
    assert knowledge_data.plain_read(folder) == lines
    assert knowledge_data.straightforward(data, negatives=20, seed=0) > 0


@pytest.mark.data
def test_a_trial_writes_its_figures(data_dir: Path, tmp_path: Path) -> None:
    assert knowledge_data.main(["--quick", "--results", str(tmp_path)]) == 0
    content = json.loads((tmp_path / "knowledge_data-quick.json").read_bytes())
    umls = content["sets"]["UMLS"]
    assert umls["triples"] == 6529 and umls["load_seconds"]["median"] > 0
    assert umls["uniform"]["times_straightforward"]["median"] > 1
    assert umls["typed"]["negatives_per_second"]["median"] > 1000
