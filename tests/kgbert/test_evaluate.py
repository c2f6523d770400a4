"""Figures of whole runs against brute force, in shards, interrupted, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kgbert import link_evaluation
from kgbert.compatibility import ORIGINAL, OURS
from kgbert.dataset import KnowledgeData
from kgbert.engine import ScoringEngine
from kgbert.evaluate import main
from kgbert.evaluation import Wishes, evaluate
from kgbert.judging import labelled_part
from kgbert.outcome import SEED
from kgbert.parts import make_lessons
from kgbert.ranking import rank_triples
from kgbert.run import Run
from kgbert.settings import KnowledgeTrainSettings, Task
from kgbert.thresholds import Thresholds
from tests.kgbert.small_runs import write_data, write_run

LINKS = "evaluation/link-prediction-test"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path / "run", write_data(tmp_path / "data"), max_length=16)
    return tmp_path / "run"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks of three queries, so that there are several."""
    monkeypatch.setattr(link_evaluation, "block_queries", lambda engine, entities: 3)


def opened(folder: Path) -> tuple[KnowledgeData, ScoringEngine]:
    run = Run.open(folder)
    return run.load_data(), ScoringEngine(run.network(), run.sequences())


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_bytes())
    return found


def brute_ranks(data: KnowledgeData, engine: ScoringEngine) -> list[tuple[int, float]]:
    """Return the relation and the realistic rank of each test triple and side, one by one."""
    known = {tuple(row) for part in (data.train, data.valid, data.test) for row in part.tolist()}
    found = []
    for column in (0, 2):
        for row in data.test.tolist():
            others = [[*row[:column], e, *row[column + 1 :]] for e in range(len(data.entities))]
            others = [other for other in others if tuple(other) not in known]
            logits = engine.logits(np.array([row, *others])).astype(float)
            scores = logits[:, 1] - logits[:, 0]
            better, equal = (scores[1:] > scores[0]).sum(), (scores[1:] == scores[0]).sum()
            found.append((row[1], 1 + better + equal / 2))
    return found


def test_link_figures_are_those_of_brute_force(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run)]) == 0
    said = capsys.readouterr()
    expected = brute_ranks(*opened(run))
    ranks = np.array([rank for _, rank in expected])
    found = metrics(run / LINKS)
    figures = found["figures"]["all"]["all"]["realistic"]
    assert figures == pytest.approx(
        {"mr": ranks.mean(), "mrr": (1 / ranks).mean()}
        | {f"hits@{k}": (ranks <= k).mean() for k in (1, 3, 10)}
    )
    for name, (low, high) in found["intervals"].items():
        assert low <= figures[name] <= high
    assert found["complete"] and found["protocol"] in said.out and found["versions"]
    assert f"{figures['mrr']:.4f}" in said.out and "unseen" not in said.out
    head, *lines = (run / LINKS / "relations.tsv").read_text().splitlines()
    column = head.split("\t").index("realistic.mr")
    for line in lines:
        cells = line.split("\t")
        own = [rank for relation, rank in expected if f"r{relation}" == cells[0]]
        assert int(cells[1]) == len(own) and float(cells[column]) == pytest.approx(np.mean(own))
    assert (run / LINKS / "ranks.parquet").is_file()


def test_what_is_there_is_not_overwritten(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run)]) == 0
    before = (run / LINKS / "metrics.json").read_bytes()
    capsys.readouterr()
    assert main([str(run)]) == 2
    said = capsys.readouterr().err
    assert "is there already and is complete; --resume goes on" in said and said.count("\n") == 1
    assert (run / LINKS / "metrics.json").read_bytes() == before
    assert main([str(run), "--resume"]) == 0
    again = metrics(run / LINKS)
    assert again["figures"] == json.loads(before)["figures"]


@pytest.mark.usefixtures("small_blocks")
def test_bounds_hold_and_what_was_left_is_done_later(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run), "--minutes", "1e-9"]) == 0
    partial = metrics(run / LINKS)
    assert not partial["complete"] and 0 < partial["done"] < partial["queries"] == 24
    assert "whatever the others are" in capsys.readouterr().out
    assert not (run / LINKS / "ranks.parquet").exists()
    assert main([str(run)]) == 2
    assert f"has {partial['done']} of 24 ranks" in capsys.readouterr().err
    assert main([str(run), "--resume"]) == 0
    whole = metrics(run / LINKS)["figures"]["all"]["all"]
    for policy, bounds in partial["bounds"].items():
        for name, (low, high) in bounds.items():
            assert low <= whole[policy][name] <= high and low < high


@pytest.mark.usefixtures("small_blocks")
def test_shards_come_to_the_same_figures(run: Path, tmp_path: Path) -> None:
    assert main([str(run), "--output", str(tmp_path / "whole")]) == 0
    for shard in ("2/3", "1/3", "3/3"):
        assert not (run / LINKS / "ranks.parquet").exists()
        assert main([str(run), "--shard", shard]) == 0
    whole, shards = metrics(tmp_path / "whole"), metrics(run / LINKS)
    assert shards["figures"] == whole["figures"] and shards["intervals"] == whole["intervals"]


def test_an_interruption_says_what_is_kept(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(link_evaluation, "rank_triples", interrupted)
    assert main([str(run)]) == 130
    assert "--resume goes on with it\ninterrupted\n" in capsys.readouterr().err


def test_the_originals_choices_stand_beside_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    data = write_run(run, write_data(tmp_path / "data"), max_length=12)
    assert main([str(run), "--original"]) == 0
    found = metrics(run / LINKS)["original"]
    record = Run.open(run)
    sequences = record.sequences()
    original = ScoringEngine(
        record.network(), type(sequences).build(**_tables(record), truncation="original")
    )
    expected = rank_triples(original, data, kind="logit1").metrics().figures["optimistic"]
    assert found["figures"][ORIGINAL] == pytest.approx(dict(expected))
    assert found["figures"][OURS] == metrics(run / LINKS)["figures"]["all"]["all"]["realistic"]
    for name, changes in found["changes"].items():
        for figure, change in changes.items():
            both = found["figures"][name][figure], found["figures"][OURS][figure]
            assert change == pytest.approx(both[0] - both[1])
    said = capsys.readouterr().out
    assert "the original's truncation" in said and "no input of this data set is cut" not in said


def _tables(record: Run) -> dict[str, Any]:
    from kgbert.pieces import Pieces

    tokenizer = record.tokenizer()
    texts = record.texts
    return {
        "entities": Pieces.from_texts(texts.entities, tokenizer=tokenizer),
        "relations": Pieces.from_texts(texts.relations, tokenizer=tokenizer),
        "max_length": record.record.settings.max_length,
        "cls_id": tokenizer.cls_id,
        "sep_id": tokenizer.sep_id,
    }


def test_where_nothing_is_cut_the_truncation_is_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    write_run(run, write_data(tmp_path / "data"), max_length=60)
    assert main([str(run), "--original"]) == 0
    assert "no input of this data set is cut" in capsys.readouterr().out
    assert len(metrics(run / LINKS)["original"]["figures"]) == 4


def test_judgements_are_those_of_brute_force(tmp_path: Path) -> None:
    thresholds = Thresholds(0.05, {0: -0.3, 2: 0.2})
    run = tmp_path / "run"
    write_run(
        run, write_data(tmp_path / "data", labelled=True), thresholds=thresholds,
        task="triple-classification", max_length=16,
    )  # fmt: skip
    assert main([str(run), "--original"]) == 0
    data, engine = opened(run)
    right = dict.fromkeys(("0.5", "global", "relation"), 0)
    assert data.test_labels is not None
    for row, label in zip(data.test, data.test_labels, strict=True):
        false, true = engine.logits(row[None])[0].astype(float)
        own = thresholds.of_relation.get(int(row[1]), thresholds.overall)
        cuts = {"0.5": 0.0, "global": thresholds.overall, "relation": own}
        for way, cut in cuts.items():
            right[way] += (true - false >= cut) == label
    figures = metrics(run / "evaluation/triple-classification-test")["figures"]["all"]
    assert {way: each["accuracy"] for way, each in figures.items()} == pytest.approx(
        {way: count / len(data.test) for way, count in right.items()}
    )


def test_triples_without_labels_get_false_ones_and_that_is_said(run: Path) -> None:
    assert main([str(run), "--task", "triple-classification"]) == 0
    found = metrics(run / "evaluation/triple-classification-test")
    assert "one drawn negative for each true triple" in found["protocol"]
    data, _ = opened(run)
    drawn = labelled_part(data, "test", seed=0)
    known = data.filter("train", "valid", "test")
    assert (known.contains(drawn.triples.T) == (drawn.labels == 1)).all()
    assert found["figures"]["all"]["0.5"]["triples"] == 2 * len(data.test)


def test_relations_are_ranked_as_by_brute_force(tmp_path: Path) -> None:
    run = tmp_path / "run"
    data = write_data(tmp_path / "data", triples=200)
    write_run(run, data, task="relation-prediction", max_length=16)
    assert main([str(run), "--original"]) == 0
    read, engine = opened(run)
    known = {tuple(row) for part in (read.train, read.valid, read.test) for row in part.tolist()}
    raw, filtered = [], []
    for head, relation, tail in read.test.tolist():
        logits = engine.logits(np.array([[head, relation, tail]]))[0]
        above = {r for r in range(3) if r != relation and logits[r] > logits[relation]}
        raw.append(1 + len(above))
        filtered.append(1 + sum((head, r, tail) not in known for r in above))
    assert sum(filtered) < sum(raw)
    figures = metrics(run / "evaluation/relation-prediction-test")["figures"]
    assert figures["raw"]["all"]["realistic"]["mr"] == pytest.approx(np.mean(raw))
    assert figures["all"]["all"]["realistic"]["mr"] == pytest.approx(np.mean(filtered))
    assert figures["all"]["all"]["realistic"]["hits@1"] == np.mean(np.array(filtered) == 1)


def test_several_runs_are_averaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, folders = write_data(tmp_path / "data"), []
    for seed in (1, 2, 3):
        folders.append(tmp_path / f"run{seed}")
        write_run(folders[-1], data, max_length=16, seed=seed)
    assert main(list(map(str, folders))) == 0
    values = [metrics(f / LINKS)["figures"]["all"]["all"]["realistic"]["mrr"] for f in folders]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    mean, sd = f"{np.mean(values):.4f}", f"{np.std(values, ddof=1):.4f}"
    assert ["MRR", mean, sd, "3"] in rows and len(set(values)) > 1


@pytest.mark.parametrize(
    ("trained", "task"),
    [
        ("link-prediction", "link-prediction"),
        ("link-prediction", "triple-classification"),
        ("relation-prediction", "relation-prediction"),
    ],
)
def test_seen_is_what_was_learnt(tmp_path: Path, trained: Task, task: Task) -> None:
    """An entity of training triples that --train-share left out was not seen."""
    source = write_data(tmp_path / "data")
    share: dict[str, Any] = {"train_share": 0.2, "task": trained, "max_length": 16}
    data = write_run(tmp_path / "run", source, **share)
    lessons = make_lessons(KnowledgeTrainSettings(dataset=str(source), **share), data)
    learnt = {tuple(row) for row in lessons.given.triples.tolist()}
    seen = {entity for head, _, tail in learnt for entity in (head, tail)}
    assert 0 < len(learnt) == round(0.2 * len(data.train))
    found = evaluate(Run.open(tmp_path / "run"), Wishes(task=task), say=lambda line: None)
    groups, count = found.content["figures"], "queries"
    asked = data.test.tolist()
    if task == "link-prediction":
        asked = asked + asked
    elif task == "triple-classification":
        asked, count = labelled_part(data, "test", seed=SEED).triples.tolist(), "triples"
    new = sum(head not in seen or tail not in seen for head, _, tail in asked)
    every = {entity for head, _, tail in data.train.tolist() for entity in (head, tail)}
    assert new > sum(head not in every or tail not in every for head, _, tail in asked)
    assert groups["entities"]["unseen"][count] == new
    if task != "triple-classification":
        turned = sum((tail, link, head) in learnt and head != tail for head, link, tail in asked)
        told = groups["leakage"].get("reverse in train", {count: 0})
        assert told[count] == turned


def test_a_run_counts_once(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named twice it would be two seeds without a deviation."""
    (run.parent / "link").symlink_to(run)
    for again in (run, run / ".", run.parent / "link"):
        assert main([str(run), str(again), "--task", "triple-classification"]) == 2
        assert f"{run}: is named twice" in capsys.readouterr().err
    assert not (run / "evaluation").exists()


def test_no_run_is_ranked_before_all_can_be(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    write_run(other, tmp_path / "data", max_length=16, seed=2)
    assert main([str(other)]) == 0
    assert main([str(run), str(other)]) == 2
    assert "an evaluation is there already and is complete" in capsys.readouterr().err
    assert not (run / LINKS).exists()
    assert main([str(run), str(other), "--resume"]) == 0
    assert "MRR" in capsys.readouterr().out
    assert main([str(run), "--resume", "--precision", "bf16"]) == 2
    assert "with another precision; choose" in capsys.readouterr().err


def test_figures_of_another_run_or_task_are_not_overwritten(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    triples = ["--task", "triple-classification", "--output", out]
    assert main([str(run), *triples]) == 0 and main([str(run), *triples]) == 0
    before = (tmp_path / "out" / "metrics.json").read_bytes()
    assert main([str(run), "--output", out]) == 2
    other = run.rename(run.with_name("other"))
    assert main([str(other), *triples]) == 2
    lines = capsys.readouterr().err.splitlines()
    said = f"error: {out}: holds figures of triple-classification by the run {run.name}; choose"
    assert sum(line.startswith(said) for line in lines) == 2
    assert (tmp_path / "out" / "metrics.json").read_bytes() == before


def test_blocks_of_a_cpu_have_few_candidates(run: Path) -> None:
    _, engine = opened(run)
    sizes = [link_evaluation.block_queries(engine, entities=n) for n in (12, 14_541, 10**6)]
    assert sizes == [64, 9, 1]


def test_runs_that_cannot_be_compared_have_no_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, folders = write_data(tmp_path / "data"), []
    for length in (16, 17):
        folders.append(tmp_path / f"run{length}")
        write_run(folders[-1], data, max_length=length)
    assert main(list(map(str, folders))) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "the runs' protocols differ, so there is no mean"


def test_low_precision_comes_to_the_same_ranks(run: Path, tmp_path: Path) -> None:
    opened_run = Run.open(run)
    found = [
        evaluate(
            opened_run, Wishes(output=tmp_path / name, precision=name), say=lambda line: None
        ).content["figures"]
        for name in ("32", "bf16")
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shard", "4/3"], "--shard is '4/3'; expected I/N"),
        (["--shard", "1"], "--shard is '1'; expected I/N"),
        (["--minutes", "0"], "--minutes is 0.0; it must be more than 0"),
        (["--minutes", "nan"], "--minutes is nan"),
        (["--batch-tokens", "0"], "--batch-tokens is 0"),
        (["--task", "relation-prediction"], "which cannot do relation-prediction"),
        (["--task", "triple-classification", "--precision", "bf16"], "is for link prediction"),
        (["--original", "--shard", "1/2"], "--original compares finished figures"),
        (["--device", "tpu"], "--device must be cpu, cuda"),
        (["--dataset", "sample"], "sample: is not the data that"),
        (["--dataset", "absent"], "no data set 'absent'"),
        (["again", "--output", "x"], "--output takes the figures of one run"),
    ],
)
def test_mistakes_are_one_line(
    run: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (run / "evaluation").exists()
