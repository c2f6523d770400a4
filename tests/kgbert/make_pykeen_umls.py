"""Write `pykeen_umls.json`: the ranks that PyKEEN comes to on the test triples of UMLS.

    KBERT_DATA=… python tests/kgbert/make_pykeen_umls.py

Scores are a function of the three ids, with a few levels, so that ties are many. PyKEEN reads the
files, numbers, filters and evaluates by itself. Needs PyKEEN, which the test that reads the file
does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pykeen.evaluation import RankBasedEvaluator
from pykeen.evaluation.evaluator import create_sparse_positive_filter_, filter_scores_
from pykeen.evaluation.ranks import Ranks
from pykeen.models import Model
from pykeen.triples import TriplesFactory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kgbert.level_scores import LEVELS, level_scores

GOLDEN = Path(__file__).with_name("pykeen_umls.json")


class Looked(Model):
    """A model of PyKEEN that looks its scores up."""

    def __init__(self, *, triples_factory: TriplesFactory, scores: torch.Tensor) -> None:
        super().__init__(triples_factory=triples_factory)
        self.register_buffer("table", scores)
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def _reset_parameters_(self) -> None:
        pass

    def _get_entity_len(self, *, mode: Any) -> int:
        return self.num_entities

    def collect_regularization_term(self) -> Any:
        return 0.0

    def score_hrt(self, hrt_batch: Any, **_: Any) -> Any:
        return self.table[tuple(hrt_batch.T)][:, None]

    def score_t(self, hr_batch: Any, **_: Any) -> Any:
        return self.table[hr_batch[:, 0], hr_batch[:, 1]].clone()

    def score_h(self, rt_batch: Any, **_: Any) -> Any:
        return self.table[:, rt_batch[:, 0], rt_batch[:, 1]].T.clone()

    def score_r(self, ht_batch: Any, **_: Any) -> Any:
        return self.table[ht_batch[:, 0], :, ht_batch[:, 1]].clone()


def main() -> None:
    folder = Path(os.environ["KBERT_DATA"]) / "kgc" / "UMLS"
    rows = {part: read(folder / f"{part}.tsv") for part in ("train", "dev", "test")}
    train = TriplesFactory.from_labeled_triples(rows["train"])
    dev, test = (
        TriplesFactory.from_labeled_triples(
            rows[part], entity_to_id=train.entity_to_id, relation_to_id=train.relation_to_id
        )
        for part in ("dev", "test")
    )
    entities, relations = (
        sorted(ids, key=ids.__getitem__) for ids in (train.entity_to_id, train.relation_to_id)
    )
    scores = torch.from_numpy(level_scores(entities, relations))
    known = torch.cat([train.mapped_triples, dev.mapped_triples])
    evaluator = RankBasedEvaluator(filtered=True)
    results = evaluator.evaluate(
        Looked(triples_factory=train, scores=scores),
        mapped_triples=test.mapped_triples,
        additional_filter_triples=[known],
        batch_size=64,
        use_tqdm=False,
    )
    names = (
        "arithmetic_mean_rank",
        "inverse_harmonic_mean_rank",
        *(f"hits_at_{k}" for k in (1, 3, 10)),
    )
    asked = torch.tensor(
        [
            [train.entity_to_id[h], train.relation_to_id[r], train.entity_to_id[t]]
            for h, r, t in rows["test"]
        ]
    )  # in the order of the file
    every = torch.cat([known, test.mapped_triples])
    content = {
        "pykeen": metadata.version("pykeen"),
        "levels": LEVELS,
        "metrics": {
            f"{side}.{kind}.{name}": float(results.get_metric(f"{side}.{kind}.{name}"))
            for side in ("head", "tail", "both")
            for kind in ("optimistic", "realistic", "pessimistic")
            for name in names
        },
        "ranks": {
            side: ranks_of(scores, asked, every, column=column)
            for side, column in (("head", 0), ("tail", 2))
        },
    }
    GOLDEN.write_text(json.dumps(content) + "\n", encoding="utf-8")


def read(file: Path) -> Any:
    lines = file.read_text(encoding="utf-8").split("\n")
    return np.array([line.split("\t") for line in lines if line])


def ranks_of(scores: Any, asked: Any, known: Any, *, column: int) -> dict[str, Any]:
    """Rank one side, filtered, and sum the ranks up as a checksum; they are 661 of each kind."""
    heads, links, tails = asked.T
    every = scores[:, links, tails].T if column == 0 else scores[heads, links]
    every = every.clone()
    true = every[torch.arange(len(asked)), asked[:, column]].clone()
    positions, _ = create_sparse_positive_filter_(asked, known, filter_col=column)
    filter_scores_(every, positions)
    every[torch.arange(len(asked)), asked[:, column]] = true
    found = Ranks.from_scores(true[:, None], every)
    columns = {
        "optimistic": found.optimistic, "pessimistic": found.pessimistic,
        "candidates": found.number_of_options,
    }  # fmt: skip
    return {
        name: hashlib.sha256(values.long().numpy().astype("<i8").tobytes()).hexdigest()
        for name, values in columns.items()
    } | {"first": [[int(v[i]) for v in columns.values()] for i in range(20)]}


if __name__ == "__main__":
    main()
