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
    theirs = rewritten(model, [(f"{head} [SEP] {link}", tail) for head, link, tail in texts])()
    ours = TripleScorer.from_pretrained(model).score(texts, output="logit")
    assert np.abs(theirs[:, 1] - ours).max() < 1e-5 and ours.std() > 1e-3


def test_rounds_alternate() -> None:
    calls: list[str] = []

    def call(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        calls.append(name)
        return np.zeros(1)

    timed = alternate([lambda: call("a"), lambda: call("b")], rounds=2)
    assert calls == ["a", "b"] * 3 and [len(each.seconds) for each in timed] == [2, 2]


def test_the_report_has_each_contender() -> None:
    rate, times = Spread(200.0, 190.0, 210.0, 3), Spread(2.0, 1.9, 2.1, 3)
    found = {
        "peer": "p 1.0",
        "triples_a_second": {"peer": rate, "fp32": rate},
        "times_faster": {"fp32": times},
    }
    lines = report(found).split("\n")
    assert lines[0] == "peer: p 1.0" and "2.00 (1.90 to 2.10)" in lines[-1]
