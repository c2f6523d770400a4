"""The example of docs/kgbert.md runs as it stands, but for the folder of its run."""

from __future__ import annotations

from pathlib import Path

from kgbert.thresholds import Thresholds
from tests.kgbert.runs import write_run

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "kgbert.md"


def test_the_example_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", thresholds=Thresholds(0.0, {}))
    (block,) = (
        part.partition("```")[0]
        for part in DOCUMENT.read_text(encoding="utf-8").split("```python\n")[1:]
        if "TripleScorer" in part.partition("```")[0]
    )
    named = "runs/sample-link-prediction-seed1"
    assert block.count(named) == 1
    exec(compile(block.replace(named, str(run)), "docs/kgbert.md", "exec"), {})
