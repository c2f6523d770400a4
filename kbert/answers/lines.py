"""Questions in, answers out, as JSON lines.

A question is an object with `question` and `context`, and with an `id` if you like, which comes
back with the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kbert.errors import DataError

if TYPE_CHECKING:
    from kbert.answers.asking import Answer, Answered
    from kbert.model import Model

_SHOWN: Final = 5  # spans that are written of each question


class _Line(NamedTuple):
    id: str | int | None
    question: str
    context: str


def answer_lines(
    model: Model, lines: Sequence[str], *, places: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Answer one question a line.

    An error names the line, by its place, and comes before the first answer of these lines.
    """
    asked = [_line(line, place=place) for line, place in zip(lines, places, strict=True)]
    answered = model.answer(
        [each.question for each in asked], [each.context for each in asked], places=places
    )
    for each, answer in zip(asked, answered, strict=True):
        yield ({} if each.id is None else {"id": each.id}) | as_json(answer)


def as_json(answered: Answered) -> dict[str, Any]:
    """Spell what a model says of a question as plain values; the context is left out."""
    content: dict[str, Any] = {"question": answered.question}
    if answered.answer is None:
        content["answer"] = None
    else:
        content |= _span(answered.answer, name="answer")
    content["no_answer_probability"] = round(answered.null, 6)
    content["best"] = [_span(answer, name="text") for answer in answered.best[:_SHOWN]]
    content["facts"] = [list(fact) for fact in answered.facts]
    if answered.omitted:
        content["omitted_facts"] = answered.omitted
    if answered.cut:
        content["cut_tokens"] = answered.cut
    return content


def _span(answer: Answer, *, name: str) -> dict[str, Any]:
    share = round(answer.probability, 6)
    return {name: answer.text, "start": answer.start, "end": answer.end, "probability": share}


def _line(line: str, *, place: str) -> _Line:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        example = '{"question": "…", "context": "…"}'
        raise DataError(f"{place}: a question is a JSON object in a line: {example}")
    identity = content.get("id")
    if not isinstance(identity, str | int | None):
        raise DataError(f"{place}: the id must be a string or a whole number")
    texts = []
    for name in ("question", "context"):
        text = content.get(name)
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{place}: the {name} must be a string with something to read in it")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise DataError(f"{place}: the {name} holds half of a surrogate pair")
        texts.append(text)
    return _Line(identity, *texts)
