"""Training from a data set to a run folder, on a small one: it learns, repeats, and refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kbert.errors import DataError, Diverged, RunError, SettingsError
from kgbert.engine import ScoringEngine
from kgbert.module import TripleTraining
from kgbert.run import Run
from kgbert.scores import scores_of
from kgbert.settings import KnowledgeTrainSettings, Task
from kgbert.train import main
from kgbert.training import default_output, train
from kgbert.validation import labelled_dev

FILES = {
    "README.md", "checksums.json", "config.json", "config.yaml", "entities.tsv", "metrics.csv",
    "metrics.json",
    "model.safetensors", "relations.tsv", "run.json", "tokenizer.json", "tokenizer_config.json",
    "vocab.txt",
}  # fmt: skip
SAID = {"likes": "red", "fears": "green", "eats": "blue", "knows": "white"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Things, of each of which each relation says the same: a tail is told by its relation."""
    made = tmp_path_factory.mktemp("data") / "things"
    made.mkdir()
    things = [f"thing {letter}" for letter in "abcdefghijklmnopqrstuvwxyzäöüß"]
    everything = [(thing, *said) for thing in things for said in SAID.items()]
    held_out = everything[::5]
    parts = {"dev": held_out[::2], "test": held_out[1::2]}
    parts["train"] = [row for row in everything if row not in held_out]
    for name, triples in parts.items():
        lines = ("\t".join(part.replace(" ", "_") for part in row) + "\n" for row in triples)
        (made / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    ids = [*things, *SAID.values()]
    names = "".join(f"{each.replace(' ', '_')}\t{each}\n" for each in ids)
    (made / "entity2text.txt").write_text(names, encoding="utf-8")
    relations = "".join(f"{each}\t{each}\n" for each in SAID)
    (made / "relation2text.txt").write_text(relations, encoding="utf-8")
    return made


def settings(folder: Path, output: Path, **options: Any) -> KnowledgeTrainSettings:
    given = {
        "dataset": str(folder), "output": str(output), "epochs": 1, "layers": 1, "width": 32,
        "feed_forward": 64, "negatives": 2, "negative_sides": "tail", "max_length": 12,
        "validation_candidates": 5, "accelerator": "cpu", "task": "link-prediction", **options,
    }  # fmt: skip
    if given["task"] == "relation-prediction":
        del given["negatives"], given["negative_sides"]
    if given["task"] != "link-prediction":
        del given["validation_candidates"]
    return KnowledgeTrainSettings(**given)


@pytest.mark.parametrize(
    ("task", "least"),  # by chance it would be 0.41, 0.5 and 0.25
    [("link-prediction", 0.6), ("triple-classification", 0.65), ("relation-prediction", 0.9)],
)
def test_each_task_learns_and_leaves_a_whole_run(
    folder: Path, tmp_path: Path, task: Task, least: float
) -> None:
    epochs = 30 if task == "relation-prediction" else 8
    report = train(
        settings(
            folder, tmp_path / "run", task=task, epochs=epochs, learning_rate=5e-3, dropout=0.0
        )
    )
    assert report.epochs[-1].loss < 0.7 * report.epochs[0].loss
    best = report.epochs[report.best_epoch - 1].scores[report.main]
    assert best == max(epoch.scores[report.main] for epoch in report.epochs) > least
    run = Run.open(tmp_path / "run")
    data = run.load_data()
    pairs = task == "relation-prediction"
    assert {path.name for path in run.folder.iterdir()} == FILES | (
        set() if pairs else {"thresholds.json"}
    )
    assert run.record.labels == (data.relations if pairs else ("false", "true"))
    assert run.record.protocol.endswith("; the weights of the best epoch are kept")
    figures = json.loads((run.folder / "metrics.json").read_bytes())
    with (run.folder / "metrics.csv").open(encoding="utf-8") as file:
        curves = list(csv.DictReader(file))
    assert [float(line[report.main]) for line in curves] == [
        epoch["scores"][report.main] for epoch in figures["epochs"]
    ]
    engine = ScoringEngine(run.network(), run.sequences())
    if pairs:
        logits = engine.logits(data.valid)
        assert (logits.argmax(1) == data.valid[:, 1]).mean() >= best - 1e-9
    else:
        assert run.thresholds is not None and run.thresholds.triples == 2 * len(data.valid)
        assert report.dev is not None and report.dev.positives == len(data.valid)
        labelled = labelled_dev(data)
        assert labelled is not None
        told = scores_of(engine.logits(labelled.examples.triples)) >= 0
        assert report.dev.accuracy == (told == (labelled.examples.targets == 1)).mean()


def test_the_weights_that_are_kept_have_the_score_that_is_told(
    folder: Path, tmp_path: Path
) -> None:
    """Also where a later epoch was worse: the rate is so high that scores go up and down."""
    given = settings(folder, tmp_path / "run", epochs=5, learning_rate=3e-2, schedule="constant")
    report = train(given)
    from kgbert.parts import make_validation

    run = Run.open(tmp_path / "run")
    validation = make_validation(given, run.load_data())
    assert validation is not None
    again = validation.scores(ScoringEngine(run.network(), run.sequences()))
    assert again == report.epochs[report.best_epoch - 1].scores
    scores = [epoch.scores["mrr"] for epoch in report.epochs]
    assert report.best_epoch == scores.index(max(scores)) + 1


def test_the_same_seed_gives_the_same_bits(folder: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(settings(folder, tmp_path / name, seed=seed))
    first, second, third = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert first == second != third


def test_original_keeps_the_last_epoch_and_says_so(folder: Path, tmp_path: Path) -> None:
    report = train(
        settings(folder, tmp_path / "run", original=True, epochs=2, negative_sides="both")
    )
    assert report.best_epoch == 2 and "the last, as asked" in report.kept()
    run = Run.open(tmp_path / "run")
    assert run.record.settings.score == "logit1"
    assert run.sequences().truncation == "original"
    assert run.record.protocol.endswith("the weights of the last epoch are kept")
    assert "--original" in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")


def test_a_share_of_train_is_learnt_and_told(folder: Path, tmp_path: Path) -> None:
    train(settings(folder, tmp_path / "run", train_share=0.25))
    known = Run.open(tmp_path / "run").record.data
    assert known.used == round(known.train / 4)


def test_the_rate_suits_the_encoder_unless_it_is_set(folder: Path, tmp_path: Path) -> None:
    first = str(tmp_path / "first")
    for name, given, rate in (
        ("first", {}, 3e-4),
        ("second", {"learning_rate": 1e-3}, 1e-3),
        ("third", {"init": first}, 5e-5),
    ):
        output = str(tmp_path / name)
        train(KnowledgeTrainSettings(dataset=str(folder), output=output, epochs=1, **given))
        found = json.loads((tmp_path / name / "metrics.json").read_bytes())
        assert found["learning_rate"] == rate


def test_without_dev_the_last_epoch_is_kept(folder: Path, tmp_path: Path) -> None:
    report = train(settings(folder, tmp_path / "run", validation_triples=0, epochs=2))
    assert report.best_epoch == 2 and report.epochs[0].scores == {}
    assert "nothing is measured" in report.record.protocol


def test_an_encoder_that_is_there_is_taken(folder: Path, tmp_path: Path) -> None:
    train(settings(folder, tmp_path / "first"))
    again = KnowledgeTrainSettings(
        dataset=str(folder), output=str(tmp_path / "second"), init=str(tmp_path / "first"),
        epochs=1, learning_rate=0.0, max_length=12, task="relation-prediction",
    )  # fmt: skip
    train(again)
    first, second = (Run.open(tmp_path / name).network().encoder for name in ("first", "second"))
    same = [
        np.array_equal(one.detach().numpy(), other.detach().numpy())
        for one, other in zip(first.parameters(), second.parameters(), strict=True)
    ]
    assert all(same) and len(same) > 10
    with pytest.raises(SettingsError, match="has only 512 positions"):
        train(
            KnowledgeTrainSettings(
                dataset=str(folder), output=str(tmp_path / "x"), init=str(tmp_path / "first"),
                max_length=600,
            )
        )  # fmt: skip


def test_a_training_that_fails_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portion = TripleTraining.portion

    def spoilt(self: TripleTraining, part: Any, whole: Any) -> Any:
        found = portion(self, part, whole)
        loss = found.loss * (float("nan") if self.steps_done == 3 else 1.0)
        return found._replace(loss=loss, figures=loss.detach().reshape(1))

    monkeypatch.setattr(TripleTraining, "portion", spoilt)
    named = r"step 4 \(loss nan, on \(thing_., \w+, \w+\), .* and 24 more\); lower --learning-rate"
    with pytest.raises(Diverged, match=named):
        train(settings(folder, tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_bad_data_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="exists already"):
        train(settings(folder, tmp_path / "run"))
    assert main(["--dataset", "nonsense", "--output", str(tmp_path / "x")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("error: no data set 'nonsense'")
    broken = tmp_path / "broken"
    broken.mkdir()
    for part in ("train", "dev", "test"):
        (broken / f"{part}.tsv").write_text("a\tr\tb\t-1\n", encoding="utf-8")
    (broken / "entity2text.txt").write_text("a\ta\nb\tb\n", encoding="utf-8")
    (broken / "relation2text.txt").write_text("r\tr\n", encoding="utf-8")
    with pytest.raises(DataError, match="no training triple is true"):
        train(settings(broken, tmp_path / "y"))


def test_run_folders_are_named_after_data_task_and_seed() -> None:
    assert default_output(KnowledgeTrainSettings(dataset="a/b.nt", seed=3)) == (
        "runs/b-link-prediction-seed3"
    )
