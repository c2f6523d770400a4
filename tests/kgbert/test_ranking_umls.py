"""The whole test set of UMLS: PyKEEN, transformers, brute force, and both precisions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from kbert.tokenizer import Tokenizer
from kgbert.data import load_data
from kgbert.dataset import KnowledgeData
from kgbert.engine import ScoringEngine
from kgbert.groups import SIDES
from kgbert.metrics import rank_metrics
from kgbert.pieces import Pieces
from kgbert.ranking import Progress, rank_triples
from kgbert.ranks import POLICIES, Ranks
from kgbert.sequences import Sequences
from tests.kgbert.level_scores import LEVELS, level_scores
from tests.kgbert.scoring import network
from tests.kgbert.test_ranking import engine_of

LENGTH = 15  # of the original's command, which cuts some triples


@pytest.fixture(scope="module")
def umls(data_dir: Path) -> KnowledgeData:
    return load_data(data_dir / "kgc" / "UMLS")


@pytest.fixture(scope="module")
def sequences(umls: KnowledgeData) -> Sequences:
    words = " ".join([*umls.texts.entities, *umls.texts.relations])
    tokenizer = Tokenizer.train([words], vocab_size=300)
    return Sequences.build(
        entities=Pieces.from_texts(umls.texts.entities, tokenizer=tokenizer),
        relations=Pieces.from_texts(umls.texts.relations, tokenizer=tokenizer),
        max_length=LENGTH, cls_id=tokenizer.cls_id, sep_id=tokenizer.sep_id,
    )  # fmt: skip


@pytest.mark.data
def test_ranks_of_umls_are_those_of_pykeen(umls: KnowledgeData) -> None:
    """PyKEEN read, numbered, filtered and ranked the same files (make_pykeen_umls.py)."""
    golden = json.loads(Path(__file__).with_name("pykeen_umls.json").read_bytes())
    assert golden["levels"] == LEVELS
    scores = level_scores(umls.entities, umls.relations).astype(np.float64)
    ranks = rank_triples(engine_of(scores), umls).ranks()
    count = len(umls.test)
    assert len(ranks) == 2 * count == 1322
    assert (ranks.optimistic != ranks.pessimistic).mean() > 0.5  # planted ties
    halves = {side: np.arange(count) + place * count for place, side in enumerate(SIDES)}
    for side, rows in halves.items():
        own = ranks.select(rows)
        columns = {name: getattr(own, name) for name in ("optimistic", "pessimistic", "candidates")}
        first = [[int(values[i]) for values in columns.values()] for i in range(20)]
        assert first == golden["ranks"][side]["first"]
        for name, values in columns.items():
            digest = hashlib.sha256(values.astype("<i8").tobytes()).hexdigest()
            assert digest == golden["ranks"][side][name], (side, name)
    named = {"mr": "arithmetic_mean_rank", "mrr": "inverse_harmonic_mean_rank"}
    named |= {f"hits@{k}": f"hits_at_{k}" for k in (1, 3, 10)}
    for side, chosen in (halves | {"both": np.arange(2 * count)}).items():
        figures = rank_metrics(ranks.select(chosen)).figures
        for policy in POLICIES:
            for ours, theirs in named.items():
                wanted = golden["metrics"][f"{side}.{policy}.{theirs}"]
                assert figures[policy][ours] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.data
def test_scores_of_umls_are_those_of_transformers(
    umls: KnowledgeData, sequences: Sequences, tmp_path: Path
) -> None:
    """Every test triple, and as many drawn ones, cut at 15 as in the original's command."""
    transformers = pytest.importorskip("transformers")
    model = network(width=64, layers=3, vocabulary=400, std=0.15)
    model.save(tmp_path, labels=("false", "true"))
    theirs = transformers.BertForSequenceClassification.from_pretrained(tmp_path).eval()
    drawn = umls.test.copy()
    drawn[:, 2] = np.random.default_rng(0).integers(0, len(umls.entities), len(drawn))
    asked = np.concatenate([umls.test, drawn])
    lengths = sequences.lengths(asked)
    assert lengths.max() == LENGTH and len(np.unique(lengths)) > 5
    found = ScoringEngine(model, sequences).logits(asked)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        token_ids, segments = map(torch.from_numpy, sequences.assemble(asked[rows]))
        with torch.inference_mode():
            wanted = theirs(token_ids, token_type_ids=segments).logits.numpy()
        assert np.abs(found[rows] - wanted).max() < 1e-5
    assert (found[:, 1] - found[:, 0]).std() > 0.05


@pytest.mark.data
@pytest.mark.slow
def test_ranks_of_umls_are_those_of_brute_force_in_both_precisions(
    umls: KnowledgeData, sequences: Sequences
) -> None:
    model = network(width=16, layers=1, vocabulary=400, std=0.5)
    exact = ScoringEngine(model, sequences)
    found = rank_triples(exact, umls)
    assert len(found) == 2 * 661
    _check_some(found.ranks(), exact, umls)
    seen: list[Progress] = []
    low = rank_triples(
        exact, umls, fast=ScoringEngine(model, sequences, precision="bf16"), on_block=seen.append
    )
    for name in ("optimistic", "pessimistic", "candidates"):
        assert getattr(low.ranks(), name).tolist() == getattr(found.ranks(), name).tolist()
    assert low.scores.tolist() == found.scores.tolist()
    assert 0 < seen[-1].error < 0.5
    # Random networks tell candidates apart badly, so many are scored again; but not all.
    assert 0 < seen[-1].rescored < 0.7 * seen[-1].scored


def _check_some(ranks: Ranks, engine: ScoringEngine, data: KnowledgeData) -> None:
    """Rank 30 rows one by one: all entities, padded, with the answers of a Python set left out."""
    known = {
        tuple(row) for part in ("train", "valid", "test") for row in data.triples(part).tolist()
    }
    rows = np.random.default_rng(0).choice(len(ranks), 30, replace=False)
    for row in rows.tolist():
        column = 0 if row < 661 else 2
        triple = data.test[row % 661]
        asked = np.tile(triple, (len(data.entities), 1))
        asked[:, column] = np.arange(len(data.entities))
        with torch.inference_mode():
            logits = _padded(engine, asked).numpy().astype(np.float64)
        wrong = np.array([tuple(each) not in known for each in asked.tolist()])
        wrong[triple[column]] = False
        scores = logits[:, 1] - logits[:, 0]
        gaps = scores[wrong] - scores[triple[column]]
        # The padded way rounds otherwise: what is nearly equal may stand on either side.
        least, most = (gaps > 1e-5).sum() + 1, (gaps >= -1e-5).sum() + 1
        assert least <= ranks.optimistic[row] <= ranks.pessimistic[row] <= most
        assert ranks.candidates[row] == wrong.sum() + 1


def _padded(engine: ScoringEngine, asked: np.ndarray) -> torch.Tensor:  # type: ignore[type-arg]
    lengths = engine.sequences.lengths(asked)
    token_ids, segments = np.zeros((2, len(asked), LENGTH), dtype=np.int64)
    for i, length in enumerate(lengths):
        one = engine.sequences.assemble(asked[i : i + 1])
        token_ids[i, :length], segments[i, :length] = one.token_ids[0], one.segments[0]
    inputs = torch.from_numpy(token_ids), torch.from_numpy(segments)
    logits: torch.Tensor = engine.network(*inputs, lengths=lengths.tolist())
    return logits
