"""Training end to end, on a handful of sentences: the run folder, and what it depends on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import kbert
from kbert import finetune
from kbert.data import Columns, load_splits
from kbert.metrics import accuracy, span_scores
from kbert.nn.checkpoint import read_labels
from kbert.run import RunRecord
from kbert.settings import TrainSettings, settings_from
from kbert.train import main
from kbert.trainer import Loop

Train = Callable[..., Path]
Runs = Callable[[str], Path]
TABLES = ["classification", "pair", "tagging", "bioes", "punctuated"]
OTHERWISE = {
    "classification": "坏\t我爱北京的苹果",
    "pair": "我在北京\t他在北京\t0",
    "tagging": "库 克 吃\tO O B-LOC",
    "bioes": "Tim sleeps\tO S-LOC",
    "punctuated": "It was 3,000 , not 3\tB-LOC O O O O O",
}
FILES = [
    "README.md",
    "checksums.json",
    "config.json",
    "config.yaml",
    "metrics.json",
    "model.safetensors",
    "run.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]


def task_of(table: str) -> Any:
    return "tagging" if table in ("bioes", "punctuated") else table


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def same_bits(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def figures(run: Path) -> Any:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("table", TABLES)
def test_a_run_folder_is_complete(runs: Runs, table: str) -> None:
    run = runs(table)
    assert sorted(path.name for path in run.iterdir()) == FILES
    assert [path.name for path in run.parent.iterdir()] == ["run"]
    record = RunRecord.read(run)
    assert record.task == task_of(table)
    assert read_labels(run) == record.labels
    assert record.unit == ("character" if table == "tagging" else "word")
    assert settings_from(run / "config.yaml", {}) == record.settings
    card = (run / "README.md").read_text(encoding="utf-8")
    scores = figures(run)["test"]
    assert f"| test | {' | '.join(f'{value:.4f}' for value in scores.values())} |" in card


@pytest.mark.parametrize("table", TABLES)
def test_a_few_sentences_are_learnt_by_heart(runs: Runs, table: str) -> None:
    found = figures(runs(table))
    main_metric = "f1" if task_of(table) == "tagging" else "accuracy"
    assert found["dev"][main_metric] == found["test"][main_metric] == 1.0
    assert found["epochs"][0]["loss"] > found["epochs"][-1]["loss"]


def test_the_figures_that_are_quoted(runs: Runs) -> None:
    found = figures(runs("classification"))
    assert found["graph"]["triples"] == 4 and len(found["graph"]["fingerprint"]) == 64
    assert found["seed"] == 1 and found["learning_rate"] == 0.02
    assert found["test_majority"] == 0.5 and found["test_texts_in_train"] == 6
    assert found["parameters"] == sum(t.numel() for t in weights(runs("classification")).values())
    train = found["splits"]["train"]
    assert (train["examples"], train["facts"], train["with_facts"]) == (6, 5, 4)
    assert 0 <= found["padding_share"]["train"] < 1 and 0 <= found["padding_share"]["test"] < 1
    assert len(found["epochs"]) == 25 and found["seconds"] > 0
    best = found["best_epoch"]
    assert found["dev"] == found["epochs"][best - 1]["scores"]
    assert all(e["scores"]["accuracy"] < 1.0 for e in found["epochs"][: best - 1])
    assert {"python", "torch", "kbert"} <= set(found["versions"]) and found["hardware"]


def measured(run: Path, examples: Any, task: str) -> float:
    """Score the run's weights by way of prediction, in this process."""
    model = kbert.load(run)
    if task == "tagging":
        found = model.predict([example.words for example in examples])
        tags = [prediction.tags for prediction in found]
        return span_scores([example.tags for example in examples], tags).f1
    pairs = [example.pair for example in examples] if task == "pair" else None
    predictions = model.predict([example.text for example in examples], pairs)
    return accuracy([e.label for e in examples], [p.label or "" for p in predictions])


def contradicted(folder: Path, small_data: Path, table: str) -> Path:
    """Copy a table, and let its test set say of one sentence what training did not say."""
    shutil.copytree(small_data / table, folder)
    with (folder / "test.tsv").open("a", encoding="utf-8") as stream:
        stream.write(OTHERWISE[table] + "\n")
    return folder


@pytest.mark.parametrize("table", OTHERWISE)
def test_figures_are_those_of_the_saved_weights(
    train: Train, small_data: Path, tmp_path: Path, table: Any
) -> None:
    """The best weights are restored before the test: predicting anew gives the same scores."""
    data = contradicted(tmp_path / "data", small_data, table)
    run = train(table, data=str(data), epochs=12, learning_rate=0.02)
    main_metric = "f1" if task_of(table) == "tagging" else "accuracy"
    found = figures(run)["test"][main_metric]
    splits = load_splits(data, task=task_of(table), columns=Columns(), announce=lambda line: None)
    assert 0 < found < 1
    assert measured(run, splits.test, task_of(table)) == found


@pytest.mark.parametrize("table", ["punctuated", "bioes", "tagging"])
def test_prediction_of_test_words_is_evaluation(
    train: Train, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Tag by tag, right or wrong."""
    evaluated: list[tuple[int, ...]] = []
    evaluate = Loop.evaluate

    def watched(self: Loop, module: Any, encoded: Any) -> dict[str, float]:
        scores = evaluate(self, module, encoded)
        evaluated.extend(module.predictions)
        return scores

    monkeypatch.setattr(Loop, "evaluate", watched)
    data = contradicted(tmp_path / "data", small_data, table)
    run = train(table, data=str(data), epochs=12, learning_rate=0.02, batch_tokens=32)
    examples = load_splits(data, task="tagging", columns=Columns(), announce=lambda _: None).test
    model = kbert.load(run)
    found = model.predict([example.words for example in examples])
    tags = [tuple(model.labels[label] for label in labels) for labels in evaluated]
    assert [prediction.tags for prediction in found] == tags
    assert len({tag for row in tags for tag in row}) > 1
    assert tags != [example.tags for example in examples]


def test_the_best_epoch_is_restored_and_not_the_last(
    train: Train, small_data: Path, tmp_path: Path
) -> None:
    """Of a dev set with all labels the wrong way round, the more is learnt the less is right."""
    shutil.copy(small_data / "classification" / "train.tsv", tmp_path)
    swap = str.maketrans("好坏", "坏好")
    content = (tmp_path / "train.tsv").read_text(encoding="utf-8").translate(swap)
    for split in ("dev", "test"):
        (tmp_path / f"{split}.tsv").write_text(content, encoding="utf-8")
    run = train(data=str(tmp_path), epochs=20, learning_rate=0.02, dropout=0.0)
    found = figures(run)
    scores = [epoch["scores"]["accuracy"] for epoch in found["epochs"]]
    assert scores[-1] == 0.0 < max(scores)
    assert found["best_epoch"] == scores.index(max(scores)) + 1
    assert found["test"]["accuracy"] == found["dev"]["accuracy"] == max(scores)


def test_the_same_settings_and_seed_give_the_same_bits(train: Train) -> None:
    first = train(epochs=2, seed=5, batch_tokens=32)
    torch.manual_seed(99)  # what happened before in the process does not matter
    assert same_bits(first, train(epochs=2, seed=5, batch_tokens=32))
    assert not same_bits(first, train(epochs=2, seed=6, batch_tokens=32))


def test_worker_processes_change_nothing(train: Train) -> None:
    alone = train(epochs=2, batch_tokens=32)
    assert same_bits(alone, train(epochs=2, batch_tokens=32, workers=2))


def test_bfloat16_trains_and_stores_32_bits(train: Train) -> None:
    run = train(precision="bf16", epochs=2)
    assert {tensor.dtype for tensor in weights(run).values()} == {torch.float32}
    full = train(epochs=2)
    assert not same_bits(run, full)
    first, second = weights(run), weights(full)
    assert all(torch.allclose(first[k], second[k], atol=0.02) for k in first)


def test_clipping_matters(train: Train) -> None:
    assert not same_bits(train(clip=0.0), train(clip=0.001))


def test_what_was_kept_and_that_no_fact_was_injected_are_said(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tmp_path / "other.tsv"
    graph.write_text("Zürich\tin\tSchweiz\n", encoding="utf-8")
    run = train(kg=str(graph), epochs=2)
    said = capsys.readouterr().err
    assert f"note: no fact of {graph} was injected into the training texts" in said
    best = figures(run)["best_epoch"]
    assert f"kept the weights of epoch {best} of 2, best by dev accuracy" in said
    train(epochs=1)
    assert "note: no fact" not in capsys.readouterr().err


def test_without_a_dev_set_the_last_epoch_is_kept_and_that_is_said(
    train: Train, small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "test"):
        shutil.copy(small_data / "classification" / f"{split}.tsv", tmp_path)
    run = train(data=str(tmp_path), epochs=2)
    assert "no dev set, so the weights of the last epoch are kept" in capsys.readouterr().err
    found = figures(run)
    assert (found["best_epoch"], found["dev"]) == (2, {}) and found["test"]
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "- weights of epoch 2 of 2, the last: no dev set" in card and "| dev |" not in card


def table_of(
    folder: Path, splits: list[str], small_data: Path, capsys: pytest.CaptureFixture[str]
) -> str:
    folder.mkdir()
    for split in splits:
        shutil.copy(small_data / "classification" / f"{split}.tsv", folder)
    arguments = ["--data", str(folder), "--layers", "1", "--width", "8", "--epochs", "1"]
    assert main([*arguments, "--accelerator", "cpu", "--output", str(folder / "run")]) == 0
    return capsys.readouterr().out


def test_the_table_has_a_column_for_each_set_that_there_is(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = table_of(tmp_path / "all", ["train", "dev", "test"], small_data, capsys)
    assert [line.split()[0] for line in full.splitlines()] == [
        "dev",
        "accuracy",
        "macro",
        "majority",
    ]
    assert full.splitlines()[0].split() == ["dev", "test"]
    no_test = table_of(tmp_path / "no_test", ["train", "dev"], small_data, capsys)
    assert no_test.splitlines()[0].split() == ["dev"] and "majority" not in no_test
    nothing = table_of(tmp_path / "nothing", ["train"], small_data, capsys)
    assert nothing == "no dev or test set, so nothing was measured\n"
    card = (tmp_path / "nothing" / "run" / "README.md").read_text(encoding="utf-8")
    assert "\n|" not in card


@pytest.mark.parametrize("table", ["classification", "tagging"])
def test_transformers_loads_a_run_and_gives_the_same_logits(runs: Runs, table: str) -> None:
    from transformers import (
        AutoTokenizer,
        BertForSequenceClassification,
        BertForTokenClassification,
    )

    run = runs(table)
    form: Any = BertForTokenClassification if table == "tagging" else BertForSequenceClassification
    theirs, report = form.from_pretrained(run, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    text = "我爱吃 apples，不在"
    inputs = AutoTokenizer.from_pretrained(run)(text, return_tensors="pt")
    model = kbert.load(run)
    tree = model.inject(text)
    assert not tree.nodes and inputs["input_ids"][0].tolist() == list(tree.token_ids)
    batch = kbert.Batch.from_trees([tree], pad_id=0)
    with torch.inference_mode():
        expected = theirs.eval()(**inputs).logits
        ours = model.network(
            batch.token_ids,
            positions=batch.positions,
            segments=batch.segments,
            visibility=batch.visibility,
        )
    assert torch.allclose(ours, expected, atol=1e-5)
    assert tuple(theirs.config.id2label.values()) == model.labels


@pytest.mark.parametrize("table", ["pair", "tagging"])
def test_a_run_is_a_starting_point(runs: Runs, train: Train, table: str) -> None:
    base = runs("classification")
    run = train(table, init=str(base), learning_rate=0.0)
    ours, theirs = weights(run), weights(base)
    shared = [name for name in ours if name.startswith("bert.")]
    assert len(shared) > 10 and all(torch.equal(ours[name], theirs[name]) for name in shared)
    assert (run / "vocab.txt").read_bytes() == (base / "vocab.txt").read_bytes()
    assert figures(train(table, init=str(base)))["learning_rate"] == 5e-5


@pytest.mark.usefixtures("unsealed")
def test_a_checkpoint_without_pooler_is_a_starting_point_and_repeatable(
    runs: Runs, train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = tmp_path / "base"
    shutil.copytree(runs("classification"), base)
    (base / "run.json").unlink()
    kept = {k: v for k, v in weights(base).items() if "pooler" not in k and "classifier" not in k}
    save_file(kept, base / "model.safetensors", metadata={"format": "pt"})
    torch.manual_seed(1)
    first = train(init=str(base), seed=3)
    assert "has no pooler" in caplog.text
    torch.manual_seed(2)
    assert same_bits(first, train(init=str(base), seed=3))
    assert not same_bits(first, train(init=str(base), seed=4))


def test_a_vocabulary_of_ones_own(train: Train, runs: Runs, tmp_path: Path) -> None:
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n我\nBig\nbig\n", encoding="utf-8")
    run = train(vocab=str(vocab), cased=True)
    assert (run / "vocab.txt").read_bytes() == vocab.read_bytes()
    tokenizer = kbert.Tokenizer.from_pretrained(run)
    assert [tokenizer.piece(i) for i in tokenizer.encode("我 Big big").ids] == ["我", "Big", "big"]
    assert tokenizer.lowercase is False


def test_an_existing_run_is_replaced_only_when_asked_for(train: Train, tmp_path: Path) -> None:
    output = tmp_path / "run"
    first = train(output=output, seed=1)
    before = weights(first)
    with pytest.raises(kbert.RunError, match="exists already"):
        train(output=output, seed=2)
    assert all(torch.equal(before[k], v) for k, v in weights(output).items())
    train(output=output, seed=2, overwrite=True)
    assert RunRecord.read(output).settings.seed == 2
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_default_output_names_data_graph_and_seed(
    small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        finetune.default_output(TrainSettings(kg="cn_dbpedia", seed=3))
        == "runs/sample-cn_dbpedia-seed3"
    )
    assert (
        finetune.default_output(TrainSettings(data="a/b.tsv.gz", kg="x/g.spo")) == "runs/b-g-seed1"
    )
    assert finetune.default_output(TrainSettings(data=".")) == f"runs/{tmp_path.name}-none-seed1"
    graph = str(small_data / "graph.spo")
    arguments = ["--data", str(small_data / "pair"), "--task", "pair", "--kg", graph]
    arguments += ["--accelerator", "cpu", "--layers", "1", "--width", "8", "--epochs", "1"]
    assert main(arguments) == 0
    assert (tmp_path / "runs" / "pair-graph-seed1" / "run.json").is_file()


def test_a_long_text_is_cut_and_counted(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "我在北京" * 2500
    (tmp_path / "train.tsv").write_text(f"label\ttext_a\n0\t{long}\n1\t我\n", encoding="utf-8")
    run = train(data=str(tmp_path))
    assert "train: 2 examples" in capsys.readouterr().err
    split = figures(run)["splits"]["train"]
    assert (split["cut_examples"], split["tokens"]) == (1, 48 + 3)
    (prediction,) = kbert.load(run).predict([long])
    assert prediction.cut == 10_000 - 46


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kbert.train", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        timeout=120,
    )


@pytest.mark.slow
def test_two_processes_share_the_work(small_data: Path, tmp_path: Path) -> None:
    """Real DDP: one run folder, whose figures are those of its weights.

    Tagging, since there the pooler has no gradient; the dev set has 3 examples, the test set 1.
    """
    data, output = tmp_path / "data", tmp_path / "runs" / "ddp"
    data.mkdir()
    shutil.copy(small_data / "tagging" / "train.tsv", data)
    lines = (small_data / "tagging" / "test.tsv").read_text(encoding="utf-8").splitlines()
    for split, rows in (("dev", lines[:4]), ("test", lines[:2])):
        (data / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = command(
        *("--data", str(data), "--task", "tagging", "--kg", str(small_data / "graph.spo")),
        *("--layers", "1", "--width", "16", "--epochs", "4", "--learning-rate", "0.01"),
        *("--accelerator", "cpu", "--devices", "2", "--batch-tokens", "32"),
        *("--output", str(output)),
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in output.parent.iterdir()] == ["ddp"]
    assert sorted(path.name for path in output.iterdir()) == sorted([*FILES, "report.html"])
    assert done.stderr.count("wrote ") == 1 and done.stderr.count("epoch 4/4") == 1
    assert "Warning" not in done.stderr and "2 x CPU" in done.stderr
    assert "distributed" not in done.stderr and "GLOBAL_RANK" not in done.stderr
    splits = load_splits(data, task="tagging", columns=Columns(), announce=lambda line: None)
    found = figures(output)
    assert found["dev"]["f1"] == measured(output, splits.dev, "tagging")
    assert found["test"]["f1"] == measured(output, splits.test, "tagging")
    assert found["dev"]["f1"] > 0


@pytest.mark.slow
def test_two_processes_wait_for_no_frozen_layer(small_data: Path, tmp_path: Path) -> None:
    """Layers that are frozen for good, and others that join while the training runs.

    What never joined is as it was drawn.
    """
    output = tmp_path / "run"
    done = command(
        *("--data", str(small_data / "tagging" / "train.tsv"), "--task", "tagging"),
        *("--layers", "3", "--width", "16", "--epochs", "2"),
        *("--freeze-layers", "1", "--unfreeze-epochs", "1"),
        *("--accelerator", "cpu", "--devices", "2", "--batch-tokens", "32"),
        *("--output", str(output)),
    )
    assert done.returncode == 0, done.stderr
    assert "the embeddings and 1 of 3 layers are frozen; in 2 epochs 1 of 2 layers" in done.stderr
    assert "Warning" not in done.stderr and done.stderr.count("epoch 2/2") == 1
    assert sorted(path.name for path in output.iterdir()) == sorted([*FILES, "report.html"])
    model = kbert.load(output)
    biases = {n: p for n, p in model.network.named_parameters() if n.endswith("expand.bias")}
    moved = [name for name, bias in biases.items() if bool(bias.any())]  # drawn as zeros
    assert moved == ["encoder.layers.2.expand.bias"]
