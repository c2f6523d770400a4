"""SQuAD's JSON: what is read, and what is refused in which words."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kbert.answers.questions import Gold
from kbert.answers.reading import load_questions, read_questions, summary
from kbert.errors import DataError, SettingsError

CONTEXT = "我爱北京, I do."


def squad(**changes: Any) -> dict[str, Any]:
    answer = {"text": "北京", "answer_start": 2}
    entry = {"id": "q1", "question": "爱什么?", "answers": [answer]} | changes
    return {"version": "1.1", "data": [{"paragraphs": [{"context": CONTEXT, "qas": [entry]}]}]}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: Any, name: str = "train.json") -> Path:
        file = tmp_path / name
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        file.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return file

    return write


def test_a_question_is_read(write: Callable[..., Path]) -> None:
    for name in ("train.json", "train.json.gz"):
        (question,) = read_questions(write(squad(), name))
        assert (question.id, question.question, question.context) == ("q1", "爱什么?", CONTEXT)
        assert question.answers == (Gold("北京", 2),)
        assert question.span == (2, 4)
        assert question.place.endswith(f"{name}: data[0].paragraphs[0].qas[0]")


def test_answers_astray_are_kept_for_scores_and_counted(write: Callable[..., Path]) -> None:
    astray = [{"text": "北京", "answer_start": s} for s in (-1, 3, 99)]
    found = [*astray, {"text": "I do", "answer_start": 6}]
    (question,) = read_questions(write(squad(answers=found)))
    assert question.answers == (*[Gold("北京", -1)] * 3, Gold("I do", 6))
    assert question.span == (6, 10)
    assert "3 answers, the first of 'q1', do not stand" in summary([question])
    with pytest.raises(DataError, match="no answer stands where its answer_start says"):
        load(write(squad(answers=astray)))


def test_questions_without_answer(write: Callable[..., Path]) -> None:
    file = write(squad(answers=[], is_impossible=True, plausible_answers=[{"text": "I"}]))
    (question,) = load(file, null_answers=True)[0]
    assert question.answers == () and question.span is None
    assert "1 of them without answer" in summary([question])
    with pytest.raises(DataError, match="question 'q1' has no answer; say --null-answers"):
        load(file)


def load(path: Path, **options: Any) -> tuple[Any, ...]:
    options = {"dev": None, "test": None, "null_answers": False} | options
    said: list[str] = []
    splits = load_questions(str(path), announce=said.append, **options)
    return splits.train, splits.dev, splits.test, said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad JSON"),
        (b'{"data": [', "train.json:1: bad JSON"),
        (b'{"data": 1, "data": 2}', "key 'data' stands twice"),
        (b"\xff", "not UTF-8"),
        (b"[]", "the file: must be an object, was of type list"),
        (b"[" * 100_000, "bad JSON"),
        ({}, "data: must be a list, was missing"),
        ({"data": []}, "holds no questions"),
        ({"data": [1]}, r"data\[0\]: must be an object, was of type int"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, r"paragraphs\[0\].context: must be a string"),
        (squad(question=" "), r"qas\[0\].question: is empty"),
        (squad(question="\ud800"), "half of a surrogate pair"),
        (squad(id=7), r"qas\[0\].id: must be a string, was of type int"),
        (squad(answers=[]), "question 'q1' has no answers, and no is_impossible"),
        (squad(is_impossible=True), "question 'q1' has answers, but is_impossible"),
        (squad(is_impossible="no"), r"is_impossible: must be true or false, was of type str"),
        (squad(answers=[{"text": "", "answer_start": 0}]), r"answers\[0\].text: is empty"),
        (squad(answers=[{"text": "我"}]), "answer_start: must be a whole number, was missing"),
        (squad(answers=[{"text": "我", "answer_start": True}]), "a whole number, was of type bool"),
        (squad(answers=[{"text": "我", "answer_start": 0.0}]), "a whole number, was of type float"),
    ],
)
def test_what_is_refused(write: Callable[..., Path], content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_questions(write(content))
    assert "train.json" in str(caught.value) and "\n" not in str(caught.value)


def test_ids_stand_once(write: Callable[..., Path]) -> None:
    content = squad()
    content["data"] *= 2
    with pytest.raises(DataError, match="two questions have the id 'q1'"):
        read_questions(write(content))


def test_files_of_a_folder_are_known_by_a_word(write: Callable[..., Path]) -> None:
    folder = write(squad(), "train-v2.0.json").parent
    write(squad(), "XY_dev.json")
    write(squad(), "latest.json")
    train, dev, test, said = load(folder)
    assert (len(train), len(dev), len(test)) == (1, 1, 0)
    assert said[0].endswith("other files, not used: latest.json")
    write(squad(), "training.json")
    with pytest.raises(DataError, match=r"train-v2.0.json and training.json could all be train"):
        load(folder)
    with pytest.raises(SettingsError, match="go with one file"):
        load(folder, dev="x.json")


def test_files_are_named_one_by_one(write: Callable[..., Path], tmp_path: Path) -> None:
    one, other = write(squad(), "a.json"), write(squad(), "b.json")
    train, dev, test, _ = load(one, test=str(other))
    assert (len(train), len(dev), len(test)) == (1, 0, 1)
    with pytest.raises(DataError, match=r"expected train.json, found a.json, b.json; name files"):
        load(tmp_path)
    with pytest.raises(DataError, match="No such file"):
        load(tmp_path / "none.json")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "questions", "astray"),
    [
        ("zh/DRCD/DRCD_dev.json", 3524, 0),
        ("zh/DRCD/DRCD_test.json", 3493, 0),
        ("zh/cmrc2018/cmrc2018_dev.json", 3219, 200),
        ("en/xquad/xquad.en.json", 1190, 0),
        ("en/xquad/xquad.zh.json", 1190, 0),
    ],
)
def test_published_files(data_dir: Path, name: str, questions: int, astray: int) -> None:
    found = read_questions(data_dir / name)
    assert len(found) == questions
    assert sum(not gold.stands for each in found for gold in each.answers) == astray
    for each in found:
        for gold in each.answers:
            if gold.stands:
                assert each.context[gold.start : gold.start + len(gold.text)] == gold.text


@pytest.mark.data
def test_a_question_without_words_is_refused(data_dir: Path) -> None:
    """CMRC's trial set has one."""
    place = r"data\[188\]\.paragraphs\[0\]\.qas\[4\]\.question: is empty"
    with pytest.raises(DataError, match=place):
        read_questions(data_dir / "zh/cmrc2018/cmrc2018_trial.json")
