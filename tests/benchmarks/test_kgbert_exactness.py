"""The comparison of a run with transformers and of both precisions, on a small run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kgbert_exactness import expit, main
from tests.kgbert.small_runs import write_data, write_run


def test_a_small_run_is_compared(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    write_run(tmp_path / "run", write_data(tmp_path / "data"), max_length=16)
    arguments = [str(tmp_path / "run"), "--folder", str(tmp_path / "ranks")]
    assert main([*arguments, "--results", str(tmp_path)]) == 0
    text = (tmp_path / "kgbert_exactness.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert float(found["largest_difference_to_transformers"]) < 1e-5 < found["deviation_of_scores"]
    assert float(found["largest_difference_of_probabilities"]) < 1e-6
    assert found["queries_ranked"] == 24 and found["triples_compared"] == 24
    assert set(found["ranks_that_bf16_changes"].values()) == {0}
    assert 0 < found["share_scored_again"] <= 1 and found["largest_difference_of_bf16"] > 0
    assert str(tmp_path) not in text
    assert main([*arguments, "--results", str(tmp_path)]) == 0  # nothing is ranked again
    again = json.loads((tmp_path / "kgbert_exactness.json").read_bytes())
    assert "share_scored_again" not in again


def test_probabilities_are_those_of_true() -> None:
    found = expit(np.array([[0, 0], [1, 3], [2, -1]], np.float32))
    assert found == pytest.approx([0.5, 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(3))])
