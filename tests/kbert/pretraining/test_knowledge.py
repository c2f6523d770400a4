"""Whole runs with a graph: what they learn, what they record, and how they refuse."""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import graphs
import kbert
from kbert.errors import DataError, SettingsError
from kbert.finetune import finetune
from kbert.pretrain import main
from kbert.pretraining.run import pretrain
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer

Settings = Callable[..., PretrainSettings]
REPOSITORY = Path(__file__).resolve().parents[3]


def equal(one: str | None, other: str | None) -> bool:
    first, second = (load_file(f"{folder}/model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_without_facts_a_run_is_the_run_without_a_graph(
    settings: Settings, told_corpus: Corpus, people_graph: Path, tmp_path: Path
) -> None:
    """Bit for bit, whether the graph names nothing that the texts do, or facts are not wanted."""
    strange = tmp_path / "strange.spo"
    strange.write_text("zorro\tlives in\tlima\n", encoding="utf-8")
    common = {"corpus": str(told_corpus.path), "phases": ["3x32"], "unit": "word"}
    plain = settings(output=str(tmp_path / "plain"), **common)
    pretrain(plain)
    for number, changes in enumerate(
        [
            {"kg": str(strange), "mask_where": "trunk"},
            {"kg": str(strange), "mask_where": "tails"},
            {"kg": str(strange), "mask_where": "both", "workers": 2},
            {"kg": str(people_graph), "max_facts": 0},
            {"kg": str(people_graph)},
        ]
    ):
        with_graph = settings(output=str(tmp_path / str(number)), **common, **changes)
        pretrain(with_graph)
        assert equal(plain.output, with_graph.output) == (number < 4)


def test_a_run_records_its_graph_and_shows_its_facts(
    settings: Settings, told_corpus: Corpus, people_graph: Path, tmp_path: Path, small_data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    chosen = settings(
        corpus=str(told_corpus.path), kg=str(people_graph), mask_where="both", samples=10,
        relation="none", validate_every=2, phases=["2x32", "2x64"], selection="rare",
    )  # fmt: skip
    report = pretrain(chosen)
    assert "facts: " in capsys.readouterr().err
    run = tmp_path / "run"
    assert not any(path.is_dir() for path in run.iterdir())
    recorded = json.loads((run / "run.json").read_bytes())
    store = graphs.load(str(people_graph))
    assert recorded["graph"] == {
        "name": store.name, "fingerprint": store.fingerprint, "triples": 7,
        "path": str(people_graph.resolve()),
    }  # fmt: skip
    assert recorded["policy"] == "rare" and recorded["facts"]["facts"] > 100
    assert "masked was: both" in (run / "README.md").read_text(encoding="utf-8")
    assert recorded["settings"]["kg"] == str(people_graph)
    shown = (run / "samples.txt").read_text(encoding="utf-8").splitlines()
    assert len(shown) == 10 and not any("[CLS]" in line for line in shown)
    told = [line for line in shown if "⟨" in line]
    assert told and all(line.count("⟨") == line.count("⟩") for line in told)
    assert any(word in line for line in told for word in ("⟨lives in", "⟨colour"))
    scores = report.measures[-1].scores["masked"]
    assert scores.targets > 10 and 0 <= scores.accuracy <= 1
    tuned = finetune(
        TrainSettings(
            init=str(run), kg=str(people_graph), data=str(small_data / "classification"),
            max_length=32, epochs=1, accelerator="cpu", output=str(tmp_path / "fine"),
        )
    )  # fmt: skip
    assert tuned.test
    assert kbert.encode(["anna sees the cat"], source=run).shape == (1, 16)


def test_masked_tails_teach_what_no_text_says(
    settings: Settings, make_tokenizer: Callable[..., Tokenizer], tmp_path: Path
) -> None:
    """Eight people live in eight cities; texts name the people and never a city.

    Who knows the texts alone can do no better than a guess among eight, log 8; the names in the
    held-out texts are of the same people, so what is learnt there is the graph.
    """
    people = [f"p{chr(97 + n)}" for n in range(8)]
    cities = [f"c{chr(97 + n)}" for n in range(8)]
    tokenizer = make_tokenizer([*people, *cities, "lives", "in", "sees", "the", "tree", "cat", "."])
    draw, lines = random.Random(0), []
    for _ in range(120):
        lines += [f"{draw.choice(people)} sees the {draw.choice(['tree', 'cat'])} .", ""]
    (tmp_path / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    graph = tmp_path / "homes.spo"
    graph.write_text(
        "".join(f"{p}\tlives in\t{c}\n" for p, c in zip(people, cities, strict=True)),
        encoding="utf-8",
    )
    tokenizer.save(tmp_path)
    report = pretrain(
        settings(
            corpus=None, texts=[str(tmp_path / "texts.txt")], vocab=str(tmp_path / "vocab.txt"),
            lines="sentence", relation="none", kg=str(graph), mask_where="tails", width=32,
            feed_forward=64, dropout=0.0, phases=["200x16"], validate_every=100, log_every=100,
            warmup=0.1, learning_rate=0.02, mask_share=1.0, random_share=0.0,
        )
    )  # fmt: skip
    score = report.measures[-1].scores["masked"]
    assert score.loss < 0.2 * math.log(8) and score.accuracy > 0.9
    assert score.targets == 24  # one tail a held-out text, and nothing else


def test_texts_are_kept_for_the_run_alone(
    texts: Path, people_graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--texts", str(texts), "--lines", "sentence", "--vocab-size", "60", "--phases", "2x32",
        "--batch-tokens", "64", "--width", "16", "--layers", "1", "--feed-forward", "16",
        "--accelerator", "cpu", "--kg", str(people_graph), "--mask-where", "tails",
        "--unit", "entity", "--kg-languages", "en", "--output", str(tmp_path / "run"),
    ]  # fmt: skip
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert "has no names in any language" in said
    named = re.compile("anna|ben|carl|dora|the cat")
    names = len(named.findall(texts.read_text(encoding="utf-8")))
    assert f"names: {names} of entities" in said
    assert not any(path.is_dir() for path in (tmp_path / "run").iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit": "entity"}, "--unit entity: name the graph"),
        ({"mask_where": "tails"}, "--mask-where is about the facts of a graph"),
        ({"mask_where": "tails", "kg": "x", "max_facts": 0}, "--max-facts 0 leaves no facts"),
        ({"mask_where": "both", "kg": "x", "boundary_weight": 1.0}, "--boundary-weight does not"),
        ({"kg": "x", "fact_dropout": 2.0}, "--fact-dropout must be between"),
    ],
)
def test_settings_that_cannot_be(settings: Settings, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(**changes)


def test_a_corpus_without_texts_is_refused(
    settings: Settings, small_corpus: Corpus, people_graph: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="build it again with --keep-text"):
        pretrain(settings(kg=str(people_graph)))
    with pytest.raises(graphs.GraphError, match=r"none\.spo"):
        pretrain(settings(kg=str(tmp_path / "none.spo"), corpus=None, **_texts(small_corpus)))
    assert not list(tmp_path.iterdir())


def _texts(corpus: Corpus) -> dict[str, Any]:
    return {"texts": [corpus.sources[0]["name"]], "lines": "sentence", "vocab_size": 60}


@pytest.mark.slow
def test_two_processes_share_the_linked_corpus(
    settings: Settings, told_corpus: Corpus, people_graph: Path, tmp_path: Path
) -> None:
    common = {
        "corpus": str(told_corpus.path), "kg": str(people_graph), "mask_where": "both",
        "dropout": 0.0, "phases": ["3x32"], "batch_tokens": 64,
    }  # fmt: skip
    alone = settings(accumulate=2, output=str(tmp_path / "alone"), **common)
    pretrain(alone)
    shared = settings(devices=2, output=str(tmp_path / "shared"), **common)
    recipe = tmp_path / "shared.yaml"
    recipe.write_text(shared.to_yaml(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "kbert.pretrain", "--config", str(recipe)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=180,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, other = (load_file(f"{c.output}/model.safetensors") for c in (alone, shared))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=2e-5)
    records = [json.loads((tmp_path / n / "run.json").read_bytes()) for n in ("alone", "shared")]
    assert records[0]["graph"] == records[1]["graph"] and records[0]["facts"] == records[1]["facts"]
