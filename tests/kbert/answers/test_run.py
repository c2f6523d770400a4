"""Question answering end to end: from a file to a run, and from the run to answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kbert
from kbert.answers.reading import read_questions
from kbert.answers.scoring import score
from kbert.errors import DataError
from kbert.predict import main

TEXTS = {
    "我爱北京，在上海吃苹果。": [("在什么吃?", "上海"), ("爱什么?", "北京"), ("吃什么?", "苹果")],
    "库克去北京" + "吃苹果，" * 12 + "在上海。": [("在什么?", "上海"), ("去什么?", "北京")],
}


def squad(*, silent: bool) -> dict[str, Any]:
    paragraphs = []
    for number, (context, pairs) in enumerate(TEXTS.items()):
        entries: list[dict[str, Any]] = [
            {
                "id": f"{number}-{place}",
                "question": question,
                "answers": [{"text": answer, "answer_start": context.index(answer)}],
            }
            for place, (question, answer) in enumerate(pairs)
        ]
        if silent:
            nothing = {"question": "是哈?", "answers": [], "is_impossible": True}
            entries.append({"id": f"{number}-none", **nothing})
        paragraphs.append({"context": context, "qas": entries})
    return {"data": [{"paragraphs": paragraphs}]}


@pytest.fixture(scope="session")
def answering(
    train: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[bool], Path]:
    """Train on the texts above, long enough to know them by heart, with and without silence."""
    folder = tmp_path_factory.mktemp("squad")
    runs: dict[bool, Path] = {}

    def run(silent: bool) -> Path:
        if silent not in runs:
            source = folder / f"{silent}"
            source.mkdir()
            for split in ("train", "dev", "test"):
                file = source / f"{split}.json"
                file.write_text(json.dumps(squad(silent=silent)), encoding="utf-8")
            runs[silent] = train(
                data=str(source),
                task="qa",
                answer_units="characters",
                null_answers=silent,
                window=36,
                stride=12,
                max_question=12,
                max_length=96,
                seed=2,
                width=64,
                layers=2,
                epochs=80,
                dropout=0.0,
                learning_rate=0.002,
                batch_tokens=256,
            )
        return runs[silent]

    return run


@pytest.mark.parametrize("silent", [False, True])
def test_what_training_measures_prediction_does(
    answering: Callable[[bool], Path], silent: bool, tmp_path: Path
) -> None:
    run = answering(silent)
    metrics = json.loads((run / "metrics.json").read_bytes())
    assert metrics["test"]["f1"] == metrics["dev"]["f1"] > 0.8
    assert metrics["splits"]["train"]["facts"] > 0
    assert ("unanswerable_f1" in metrics["test"]) == silent
    file = tmp_path / "test.json"
    file.write_text(json.dumps(squad(silent=silent)), encoding="utf-8")
    questions = read_questions(file)
    model = kbert.load(run)
    answered = model.answer([q.question for q in questions], [q.context for q in questions])
    total = 0.0
    for question, found in zip(questions, answered, strict=True):
        given = "" if found.answer is None else found.answer.text
        golds = [gold.text for gold in question.answers]
        total += score(golds, given, unit="characters").f1
        for answer in found.best:
            assert question.context[answer.start : answer.end] == answer.text
        shares = sum(answer.probability for answer in found.best) + found.null
        assert shares == pytest.approx(1)
        assert (found.null > 0) == silent
        assert found.facts
    assert total / len(questions) == pytest.approx(metrics["test"]["f1"])
    alone = model.answer([questions[-1].question], [questions[-1].context], batch_tokens=8)[0]
    assert [each.text for each in alone.best[:1]] == [each.text for each in answered[-1].best[:1]]
    assert alone.best[0].probability == pytest.approx(answered[-1].best[0].probability, rel=1e-4)


def test_json_lines(
    answering: Callable[[bool], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = answering(True), tmp_path / "questions.jsonl"
    context = next(iter(TEXTS))
    lines = [
        {"id": 7, "question": "吃什么?", "context": context},
        {"question": "是哈?", "context": context},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert main([str(run), "--file", str(file)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["id"] == 7 and "id" not in second
    assert first["answer"] == context[first["start"] : first["end"]] == "苹果"
    assert second["answer"] is None and "start" not in second
    assert second["no_answer_probability"] > 0.5
    assert len(first["best"]) == 5 and ["苹果", "是", "水果"] in first["facts"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("text", "f.jsonl:1: a question is a JSON object in a line"),
        ("[1]", "f.jsonl:1: a question is a JSON object in a line"),
        ('{"question": "吃?"}', "f.jsonl:1: the context must be a string"),
        ('{"question": "", "context": "我"}', "f.jsonl:1: the question must be a string"),
        ('{"question": "\\ud800", "context": "我"}', "half of a surrogate pair"),
        ('{"id": [], "question": "a", "context": "我"}', "f.jsonl:1: the id must be"),
        ('{"question": "a", "context": "\\u200b"}', "f.jsonl:1: the text '\\u200b' is empty"),
    ],
)
def test_bad_lines(
    answering: Callable[[bool], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: str,
    message: str,
) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text(line + "\n", encoding="utf-8")
    assert main([str(answering(True)), "--file", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert message in captured.err


def test_each_kind_of_model_has_its_call(
    answering: Callable[[bool], Path], runs: Callable[[str], Path]
) -> None:
    model = kbert.load(answering(False))
    with pytest.raises(DataError, match="say answer"):
        model.predict(["我"])
    with pytest.raises(DataError, match="2 questions but 1 contexts"):
        model.answer(["我", "我"], ["我"])
    with pytest.raises(TypeError, match="list of questions"):
        model.answer("我", ["我"])
    with pytest.raises(DataError, match="was trained for classification; say predict"):
        kbert.load(runs("classification")).answer(["我"], ["我"])
    assert model.answer([], []) == []
