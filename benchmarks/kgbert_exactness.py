"""Whether scores are transformers' and ranks those of 32 bits, with trained weights on real data.

Logits of all test triples of a run's data set, and of as many with a drawn tail, are compared with
those of `BertForSequenceClassification` of the same folder, one length at a time. The whole test
set is ranked twice, in 32 bits and in bf16 with re-scoring, and every rank is compared. Rankings
are kept in `--folder`, so an interrupted measurement goes on. Writes
`results/kgbert_exactness.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.report import RESULTS, environment, table, write_result
from kbert import console
from kgbert.dataset import KnowledgeData
from kgbert.engine import ScoringEngine
from kgbert.link_evaluation import block_queries
from kgbert.query_ranks import QueryRanks
from kgbert.ranking import Progress, rank_triples
from kgbert.ranking_clock import RankingClock
from kgbert.run import Run

_ROWS: Final = 256
_POLICIES: Final = ("optimistic", "realistic", "pessimistic")


def asked_of(data: KnowledgeData) -> NDArray[np.int32]:
    """Return the true test triples, and as many with a drawn tail (2 n, 3)."""
    drawn = data.positives("test").copy()
    drawn[:, 2] = np.random.default_rng(0).integers(0, len(data.entities), len(drawn))
    return np.concatenate([data.positives("test"), drawn])


def of_transformers(
    folder: Path, engine: ScoringEngine, triples: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the logits (n, 2) of transformers for the same inputs, without padding."""
    from transformers import BertForSequenceClassification

    model = BertForSequenceClassification.from_pretrained(folder).eval()
    lengths = engine.sequences.lengths(triples)
    found = np.empty((len(triples), 2), dtype=np.float32)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            inputs = engine.sequences.assemble(triples[some])
            ids, segments = map(torch.from_numpy, inputs)
            with torch.inference_mode():
                found[some] = model(ids, token_type_ids=segments).logits.numpy()
    return found


def expit(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probabilities of true (n,) of logits (n, 2)."""
    found: NDArray[np.float64] = 1 / (1 + np.exp(np.subtract(*logits.T.astype(np.float64))))
    return found


def ranked(
    engine: ScoringEngine, data: KnowledgeData, *, fast: ScoringEngine | None, folder: Path
) -> tuple[QueryRanks, list[Progress]]:
    """Rank the whole test set, or go on with what `folder` holds."""
    seen: list[Progress] = []
    clock = RankingClock(about=folder.name, say=console.say)

    def note(progress: Progress) -> None:
        seen.append(progress)
        clock(progress)

    size = block_queries(engine, entities=len(data.entities))
    found = rank_triples(engine, data, fast=fast, folder=folder, block_queries=size, on_block=note)
    return found, seen


def measure(run: Run, *, folder: Path) -> dict[str, Any]:
    """Compare scores and ranks."""
    data = run.load_data()
    exact = ScoringEngine(run.network(), run.sequences())
    fast = ScoringEngine(exact.network, exact.sequences, precision="bf16")
    asked = asked_of(data)
    logits = exact.logits(asked)
    theirs = of_transformers(run.folder, exact, asked)
    ours, _ = ranked(exact, data, fast=None, folder=folder / "32")
    low, seen = ranked(exact, data, fast=fast, folder=folder / "bf16")
    lowered = np.abs(fast.logits(asked) - logits).max()
    changed = {
        policy: int((getattr(ours.ranks(), policy) != getattr(low.ranks(), policy)).sum())
        for policy in _POLICIES
    }
    content: dict[str, Any] = {
        "data": {
            "name": Path(data.name).name,
            "part": "test",
            "triples": len(data.positives("test")),
        },
        "parameters": sum(each.numel() for each in exact.network.parameters()),
        "training": run.record.protocol,
        "triples_compared": len(asked),
        "largest_difference_to_transformers": f"{np.abs(logits - theirs).max():.1e}",
        "largest_difference_of_probabilities": f"{np.abs(expit(logits) - expit(theirs)).max():.1e}",
        "deviation_of_scores": float((logits[:, 1] - logits[:, 0]).std()),
        "largest_difference_of_bf16": float(lowered),
        "queries_ranked": len(ours),
        "ranks_that_bf16_changes": changed,
        "mrr": ours.metrics().realistic["mrr"],
    }
    if seen and len(seen) == seen[-1].blocks:  # all of it was computed now
        content["share_scored_again"] = seen[-1].rescored / seen[-1].scored
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kgbert_exactness", description=__doc__
    )
    parser.add_argument("run", type=Path, help="a run of kgbert.train with two labels")
    parser.add_argument("--folder", type=Path, required=True, help="where rankings are kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(given)

    def go() -> None:
        found = measure(Run.open(options.run), folder=options.folder)
        record = environment("kgbert_exactness", ["RUN", "--folder", "FOLDER"])
        write_result("kgbert_exactness", {"environment": record, **found}, folder=options.results)
        shown = {name: value for name, value in found.items() if not isinstance(value, dict)}
        shown |= {f"{k} changed ranks": v for k, v in found["ranks_that_bf16_changes"].items()}
        print(table([["", "value"], *([name, str(value)] for name, value in shown.items())]))

    return console.guard(go)


if __name__ == "__main__":
    sys.exit(main())
