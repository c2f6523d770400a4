"""Questions in SQuAD's JSON (v1.1 and v2.0; DRCD, CMRC 2018 and XQuAD have it too).

`{"data": [{"paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …,
"answer_start": …}], "is_impossible": …}]}]}]}`; other keys are left alone. `answer_start` counts
characters (code points). Reading is strict, but for answers that do not stand where they should:
published sets have them (CMRC marks with -1 those that are no span). Their texts count in scores,
and nothing is learnt from them; how many there are is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from kbert.answers.questions import Gold, QuestionExample
from kbert.errors import DataError, SettingsError
from kbert.examples import Splits
from kbert.tables import read_json
from kbert.tree import NOWHERE

Kind = TypeVar("Kind")
Questions = tuple[QuestionExample, ...]

_SUFFIXES: Final = (".json", ".json.gz")
_NAMES: Final = {
    "train": ("train", "training"),
    "dev": ("dev", "valid", "validation"),
    "test": ("test",),
}
_KINDS: Final[dict[type, str]] = {
    str: "a string",
    list: "a list",
    dict: "an object",
    int: "a whole number",
    bool: "true or false",
}


def load_questions(
    source: str,
    *,
    dev: str | None,
    test: str | None,
    null_answers: bool,
    announce: Callable[[str], None],
) -> Splits[QuestionExample]:
    """Read a folder, or one file for training with those named for `dev` and `test`.

    In a folder a file belongs to the split whose name is a word of its own: `train-v2.0.json`,
    `DRCD_dev.json`. `announce` receives a line for each split. Without `null_answers` a question
    without answer is refused.

    Raises `DataError` for what cannot be read, `SettingsError` for files named beside a folder.
    """
    path = Path(source)
    if path.is_dir():
        if dev or test:
            raise SettingsError(f"--dev-data and --test-data go with one file; {path} is a folder")
        files = _files(path, announce=announce)
    else:
        files = {"train": path} | {n: Path(f) for n, f in (("dev", dev), ("test", test)) if f}
    parts = {name: read_questions(file) for name, file in files.items()}
    for name, questions in parts.items():
        announce(f"{name}: {summary(questions)} from {files[name]}")
        _check_nulls(questions, file=files[name], allowed=null_answers)
    if not any(not each.answers or each.span for each in parts["train"]):
        raise DataError("no answer stands where its answer_start says", file=files["train"])
    return Splits(parts["train"], parts.get("dev", ()), parts.get("test", ()))


def read_questions(path: Path) -> Questions:
    """Read a file. Raises `DataError`, which says where in the file something is wrong."""
    try:
        questions = tuple(_questions(read_json(path), path=path))
    except _Misfit as error:
        raise DataError(str(error), file=path) from None
    if not questions:
        raise DataError("holds no questions", file=path)
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise DataError(f"two questions have the id {question.id!r}", file=path)
        seen.add(question.id)
    return questions


def summary(questions: Sequence[QuestionExample]) -> str:
    """Say in a line what a file holds, and of how many answers nothing can be learnt."""
    contexts = len({question.context for question in questions})
    text = f"{len(questions)} questions about {contexts} texts"
    if silent := sum(not question.answers for question in questions):
        text += f", {silent} of them without answer,"
    astray = [each for each in questions for gold in each.answers if not gold.stands]
    if astray:
        text += (
            f" ({len(astray)} answers, the first of {astray[0].id!r}, do not stand where their"
            " answer_start says: they count in scores, and nothing is learnt from them)"
        )
    return text


class _Misfit(ValueError):
    """Something is not what SQuAD's JSON has at this place."""


def _files(folder: Path, *, announce: Callable[[str], None]) -> dict[str, Path]:
    """Give each split, in the order train, dev, test, the one file that is called like it."""
    try:
        there = [file for file in sorted(folder.iterdir()) if file.name.endswith(_SUFFIXES)]
    except OSError as error:
        raise DataError(error.strerror or str(error), file=folder) from None
    files: dict[str, Path] = {}
    for name, words in _NAMES.items():
        found = [f for f in there if set(words) & set(re.split(r"[^a-z]+", f.name.lower()))]
        if len(found) > 1:
            named = " and ".join(file.name for file in found)
            raise DataError(f"{named} could all be {name}; name files instead", file=folder)
        if found:
            files[name] = found[0]
    if "train" not in files:
        listed = ", ".join(file.name for file in there) or "no JSON file"
        hint = "name files with --data, --dev-data and --test-data"
        raise DataError(
            f"no training data: expected train.json, found {listed}; {hint}", file=folder
        )
    if unused := [file.name for file in there if file not in files.values()]:
        announce(f"{folder}: other files, not used: {', '.join(unused)}")
    return files


def _check_nulls(questions: Questions, *, file: Path, allowed: bool) -> None:
    silent = next((question for question in questions if not question.answers), None)
    if silent is not None and not allowed:
        raise DataError(f"question {silent.id!r} has no answer; say --null-answers", file=file)


def _questions(content: object, *, path: Path) -> Iterator[QuestionExample]:
    for article, at in _items(_as(dict, content, at="the file"), "data", at=""):
        for paragraph, below in _items(article, "paragraphs", at=at + "."):
            context = _text(paragraph, "context", at=below)
            for entry, place in _items(paragraph, "qas", at=below + "."):
                yield _question(entry, context, at=place, path=path)


def _question(entry: dict[str, object], context: str, *, at: str, path: Path) -> QuestionExample:
    identity = _text(entry, "id", at=at)
    answers = []
    for answer, place in _items(entry, "answers", at=at + "."):
        text = _text(answer, "text", at=place)
        start = _as(int, answer.get("answer_start"), at=f"{place}.answer_start")
        stands = start >= 0 and context.startswith(text, start)
        answers.append(Gold(text, start if stands else NOWHERE))
    silent = _as(bool, entry.get("is_impossible", False), at=f"{at}.is_impossible")
    if silent == bool(answers):
        problem = "answers, but is_impossible" if silent else "no answers, and no is_impossible"
        raise _Misfit(f"{at}: question {identity!r} has {problem}")
    question = _text(entry, "question", at=at)
    return QuestionExample(identity, question, context, tuple(answers), f"{path}: {at}")


def _items(
    holder: dict[str, object], key: str, *, at: str
) -> Iterator[tuple[dict[str, object], str]]:
    """Yield the objects of a list with their places."""
    for number, item in enumerate(_as(list, holder.get(key), at=at + key)):
        place = f"{at}{key}[{number}]"
        yield _as(dict, item, at=place), place


def _text(holder: dict[str, object], key: str, *, at: str) -> str:
    text = _as(str, holder.get(key), at=f"{at}.{key}")
    if not text.strip():
        raise _Misfit(f"{at}.{key}: is empty")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _Misfit(f"{at}.{key}: holds half of a surrogate pair")
    return text


def _as(kind: type[Kind], value: object, *, at: str) -> Kind:
    if type(value) is not kind:
        found = "missing" if value is None else f"of type {type(value).__name__}"
        raise _Misfit(f"{at}: must be {_KINDS[kind]}, was {found}")
    return value
