"""The comparison of scoring speed compares equal scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.report import Spread
from benchmarks.scoring import alternate, report, rewritten, write_model
from kbert.tokenizer import Tokenizer
from kgbert.scorer import TripleScorer
from tests.kgbert.runs import DATA
from tests.kgbert.scoring import network


def test_the_rewritten_loop_has_our_scores(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    encoder, model = tmp_path / "encoder", tmp_path / "model"
    tokenizer = Tokenizer.train([*DATA.texts.entities, *DATA.texts.relations], vocab_size=300)
    made = network(vocabulary=len(tokenizer))
    made.save(encoder)
    tokenizer.save(encoder)
    model.mkdir()
    write_model(str(encoder), model)
    texts = [
        (DATA.texts.entity(h), DATA.texts.relation(r), DATA.texts.entity(t))
        for h, r, t in DATA.train[:40].tolist()
    ]
    theirs = rewritten(model, [(f"{head} [SEP] {link}", tail) for head, link, tail in texts])(
        slice(40)
    )
    ours = TripleScorer.from_pretrained(model).score(texts, output="logit")
    assert np.abs(theirs[:, 1] - ours).max() < 1e-5 and ours.std() > 1e-3


def test_rounds_alternate_and_cover_all_triples() -> None:
    calls: list[tuple[str, int]] = []
    rows = np.arange(1000.0)

    def call(name: str, part: slice) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        calls.append((name, len(rows[part])))
        return rows[part]

    timed = alternate(
        [lambda part: call("a", part), lambda part: call("b", part)], count=1000, rounds=3
    )
    sizes = [256, 333, 333, 334]
    assert calls == [(name, size) for size in sizes for name in "ab"]
    assert all(len(each.seconds) == 3 and np.array_equal(each.scores, rows) for each in timed)


def test_the_report_has_each_contender() -> None:
    rate, times = Spread(200.0, 190.0, 210.0, 3), Spread(2.0, 1.9, 2.1, 3)
    found = {
        "peer": "p 1.0",
        "triples_a_second": {"peer": rate, "fp32": rate},
        "times_faster": {"fp32": times},
    }
    lines = report(found).split("\n")
    assert lines[0] == "peer: p 1.0" and "2.00 (1.90 to 2.10)" in lines[-1]
