"""The report of a run that answers questions: figures of training, and the worst answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import kbert
from kbert.answers.scoring import score
from kbert.run_page import write_page
from kbert.run_pages.mistakes import examine
from tests.kbert.run_pages.reading import check_page

HOSTILE = "<img src=x onerror=alert(1)> \u202eturned"
CONTEXT = f"我爱北京，在上海吃苹果。{HOSTILE}"


@pytest.fixture(scope="module")
def run(train: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learnt next to nothing, with one question that has no answer."""
    folder = tmp_path_factory.mktemp("questions")
    entries = [
        {
            "id": str(number),
            "question": f"{question} {HOSTILE}",
            "answers": [{"text": answer, "answer_start": CONTEXT.index(answer)}],
        }
        for number, (question, answer) in enumerate([("在什么吃?", "上海"), ("爱什么?", "北京")])
    ]
    nothing = {"id": "none", "question": "是哈?", "answers": [], "is_impossible": True}
    content = {"data": [{"paragraphs": [{"context": CONTEXT, "qas": [*entries, nothing]}]}]}
    for split in ("train", "dev", "test"):
        (folder / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")
    return train(
        data=str(folder), task="qa", answer_units="characters", null_answers=True, window=60,
        stride=12, max_question=48, max_length=128, learning_rate=1e-6,
    )  # fmt: skip


def test_figures_are_those_of_training(run: Path) -> None:
    tested = examine(run)
    assert tested is not None and tested.examples == tested.possible == 3
    measured = json.loads((run / "metrics.json").read_bytes())["test"]
    for name, each in tested.estimates.items():
        assert each.value == pytest.approx(measured[name])
        assert each.low <= each.value <= each.high


def test_the_worst_answers_are_wrong_and_in_order(run: Path) -> None:
    tested = examine(run)
    assert tested is not None and tested.wrong == len(tested.worst) > 0
    model = kbert.load(run)
    for each in tested.worst:
        assert each.pair == CONTEXT
        (found,) = model.answer([each.text], [each.pair])
        given = "" if found.answer is None else found.answer.text
        assert each.said == (given or "(no answer)")
        golds = [] if each.right == "(no answer)" else [each.right]
        scores = score(golds, given, unit="characters")
        assert scores.exact < 1 and each.badness == pytest.approx(1 - scores.f1)
    badness = [each.badness for each in tested.worst]
    assert badness == sorted(badness, reverse=True)


def test_the_page_shows_question_text_and_answers(run: Path, tmp_path: Path) -> None:
    tested = examine(run)
    assert tested is not None
    text = write_page(run, output=tmp_path / "page.html").read_text(encoding="utf-8")
    found = check_page(text)
    assert not found.named("img")
    assert f"Worst of {tested.wrong} wrong predictions" in found.text
    assert "1 less the F1 of the answer" in found.text
    assert "exact match" in found.text and CONTEXT in found.text
    for each in tested.worst:
        assert each.text in found.text and each.said in found.text and each.right in found.text
