"""Write `pykeen_ranks.json`: what PyKEEN makes of scores with planted ties and filters.

    python tests/kgbert/make_pykeen_golden.py

Needs PyKEEN, which the tests that read the file do not.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from pykeen.evaluation.rank_based_evaluator import RankBasedMetricResults, RankPack
from pykeen.evaluation.ranks import Ranks
from pykeen.metrics.ranking import (
    ArithmeticMeanRank,
    HitsAtK,
    InverseHarmonicMeanRank,
    MedianRank,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from test_ranks import GOLDEN, planted

SEED = 7


def main() -> None:
    case = planted(seed=SEED)
    ranks = Ranks.from_scores(
        torch.from_numpy(case.true)[:, None],
        torch.from_numpy(np.where(case.excluded, np.nan, case.scores)),
    )
    metrics = [
        ArithmeticMeanRank(), InverseHarmonicMeanRank(), MedianRank(),
        *(HitsAtK(k=k) for k in (1, 3, 10)),
    ]  # fmt: skip
    packs = [
        RankPack(
            target="tail", rank_type=kind, ranks=values.numpy(),
            num_candidates=ranks.number_of_options.numpy(), weights=None,
        )
        for kind, values in ranks.items()
    ]  # fmt: skip
    results = RankBasedMetricResults.from_ranks(metrics, packs)
    content = {
        "pykeen": metadata.version("pykeen"),
        "seed": SEED,
        "ranks": {
            "optimistic": ranks.optimistic.tolist(),
            "realistic": ranks.realistic.tolist(),
            "pessimistic": ranks.pessimistic.tolist(),
            "candidates": ranks.number_of_options.tolist(),
        },
        "metrics": {
            f"{key.rank_type}.{key.metric}": float(value) for key, value in results.data.items()
        },
    }
    GOLDEN.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
