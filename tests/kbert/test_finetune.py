"""What a run says and records of its data, and two runs that want one output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kbert
from kbert import finetune
from kbert.run import RunRecord

Train = Callable[..., Path]


def figures(run: Path) -> Any:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def test_the_policy_is_recorded_wherever_the_graph_is(train: Train) -> None:
    run = train(selection="rare", deny_relations=("位于", "是"))
    policy = "rare deny=['位于', '是']"
    assert RunRecord.read(run).policy == figures(run)["policy"] == policy
    assert f"policy `{policy}`" in (run / "README.md").read_text(encoding="utf-8")


def test_the_majority_is_that_of_training(train: Train, small_data: Path, tmp_path: Path) -> None:
    for split, labels in (("train", "坏坏坏好"), ("test", "好好好坏")):
        lines = [f"{label}\t我爱{label}" for label in labels]
        content = "\n".join(["label\ttext_a", *lines])
        (tmp_path / f"{split}.tsv").write_text(content, encoding="utf-8")
    run = train(data=str(tmp_path))
    assert figures(run)["test_majority"] == 0.25
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "- always answering the commonest training label gives 0.2500 on test\n" in card


def tagged(rows: int, *, long: int) -> str:
    """Write rows of ten one-character words, of which `long` in all have two characters."""
    words = [["我"] * 10 for _ in range(rows)]
    for number in range(long):
        words[number][0] = "CT"
    lines = [f"{' '.join(row)}\t{' '.join(['B-X', *['O'] * 9])}" for row in words]
    return "\n".join(["text_a\tlabel", *lines])


@pytest.mark.parametrize(("long", "unit"), [(0, "character"), (2, "character"), (3, "word")])
def test_words_are_characters_if_nearly_all_are(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str], long: int, unit: str
) -> None:
    (tmp_path / "train.tsv").write_text(tagged(20, long=long), encoding="utf-8")
    run = train("tagging", data=str(tmp_path))
    assert RunRecord.read(run).unit == unit
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("words: ")]
    meant = {"character": "single characters", "word": "as split in the data"}[unit]
    assert said == [f"words: {meant}"]
    (found,) = kbert.load(run).predict(["97 CT 我"])
    assert len(found.tags) == {"character": 5, "word": 3}[unit]


def test_other_tasks_have_no_words(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    assert RunRecord.read(train()).unit == "word"
    assert "words: " not in capsys.readouterr().err


def test_unknown_pieces_are_counted_in_each_split(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n我\n爱\n北\n京\n", encoding="utf-8")
    texts = {"train": ["我爱我爱", "我爱北京"], "dev": ["我哈"], "test": ["哈 哈", "我我"]}
    for split, lines in texts.items():
        rows = [f"{'ab'[n % 2]}\t{text}" for n, text in enumerate(lines)]
        (tmp_path / f"{split}.tsv").write_text("\n".join(["label\ttext_a", *rows]), "utf-8")
    run = train(data=str(tmp_path), vocab=str(vocab))
    splits = figures(run)["splits"]
    assert splits["train"]["facts"] == 1  # 首都中国 is all unknown, but no piece of the text
    assert [splits[name]["unknown_share"] for name in texts] == [0.0, 0.5, 0.5]
    said = capsys.readouterr().err
    assert said.count("50.00% of the text's pieces are [UNK]") == 2
    assert said.count(" 0.00% of the text's pieces are [UNK]") == 1
    asked = [line for line in said.splitlines() if "is the vocabulary for the language" in line]
    assert [line.rpartition(" ")[2] for line in asked] == ["dev?", "test?"]


def test_of_two_runs_to_one_output_the_first_to_end_is_kept(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, fit = tmp_path / "run", finetune._fit

    def overtaken(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(finetune, "_fit", fit)
        train(output=output, seed=2)
        return fit(*arguments, **options)

    monkeypatch.setattr(finetune, "_fit", overtaken)
    with pytest.raises(kbert.RunError, match="run: exists already; choose another --output"):
        train(output=output, seed=1)
    assert RunRecord.read(output).settings.seed == figures(output)["seed"] == 2
    assert kbert.load(output).predict(["我"])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_goes_on_beside_is_noted(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = tmp_path / "run.partial-7-ab"
    left.mkdir()
    train(output=tmp_path / "run")
    said = capsys.readouterr().err
    assert f"note: {left} is of a run that is going on, or was killed\n" in said
    assert left.is_dir()
