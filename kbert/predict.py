"""`python -m kbert.predict RUN [TEXT …]`: labels, spans or answers as JSON lines.

Texts come from the arguments, from `--file`, or from standard input, one a line; for a model of
pairs the two texts of a line are separated by a TAB, for one of tagging words may be split already
(`--split-words`), one of questions reads JSON objects (`kbert.answers.lines`). Output is one JSON
object a text, in order. Empty lines may stand at the end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kbert import console
from kbert.answers.lines import answer_lines
from kbert.errors import DataError
from kbert.lines import chunks, json_line, placed_texts

if TYPE_CHECKING:
    from kbert.model import Model, Prediction


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    if options.run is None:
        parser.error("the following arguments are required: RUN")
    return console.guard(lambda: _predict(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kbert.predict",
        usage="%(prog)s [options] RUN [TEXT ...]",
        description="Predict labels, spans or answers with a trained run, as JSON lines.",
        allow_abbrev=False,
    )
    # Optional for the parser alone, which would else ask for TEXT as well where RUN is missing.
    parser.add_argument("run", metavar="RUN", nargs="?", help="the folder that kbert.train wrote")
    parser.add_argument("texts", metavar="TEXT", nargs="*", help="texts (default: standard input)")
    parser.add_argument("--file", metavar="FILE", help="file with one text a line")
    parser.add_argument(
        "--split-words",
        action="store_true",
        help="tag the words between single spaces, as in training data (default: split the text)",
    )
    parser.add_argument("--kg", metavar="GRAPH", help="use this graph instead of the recorded one")
    parser.add_argument(
        "--allow-other-graph",
        action="store_true",
        help="predict although the graph is not the one that the run was trained with",
    )
    parser.add_argument(
        "--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda or cuda:N"
    )
    return parser


def _predict(options: argparse.Namespace) -> None:
    source = placed_texts(options.texts, file=options.file)
    from kbert.devices import check_device
    from kbert.model import load

    model = load(
        options.run,
        kg=options.kg,
        allow_other_graph=options.allow_other_graph,
        device=check_device(options.device),
        announce=console.say,
    )
    if options.split_words and model.kind != "tagging":
        raise DataError(f"--split-words is for models of tagging; {options.run} is of {model.kind}")
    for place, lines in chunks(source):
        if model.kind == "qa":
            for content in answer_lines(model, lines, places=place):
                console.emit(json_line(content))
            continue
        for prediction in _checked(model, lines, place=place, split_words=options.split_words):
            content = as_json(prediction, with_tags=options.split_words)
            console.emit(json_line(content))


def _checked(
    model: Model, lines: Sequence[str], *, place: Sequence[str], split_words: bool
) -> list[Prediction]:
    """Predict lines; an error names the line, and nothing of its chunk is written."""
    texts: list[str | list[str]] = []
    pairs = []
    for where, line in zip(place, lines, strict=True):
        parts = line.split("\t") if model.kind == "pair" else [line]
        if model.kind == "pair" and len(parts) != 2:
            raise DataError(f"{where}: a pair is two texts with a TAB between, found {len(parts)}")
        if not all(part.strip() for part in parts):
            raise DataError(f"{where}: the text is empty")
        texts.append(line.split(" ") if split_words else parts[0])
        pairs.append(parts[-1])
    return model.predict(texts, pairs if model.kind == "pair" else None, places=place)


def as_json(prediction: Prediction, *, with_tags: bool = False) -> dict[str, Any]:
    """Spell a prediction as plain values; tags are of use to those who know the words."""
    content: dict[str, Any] = {"text": prediction.text}
    if prediction.pair is not None:
        content["pair"] = prediction.pair
    if prediction.label is None:
        content["spans"] = [
            {"start": s.start, "end": s.end, "type": s.type, "text": s.text}
            for s in prediction.spans
        ]
        if with_tags:
            content["tags"] = list(prediction.tags)
    else:
        content["label"] = prediction.label
        shares = prediction.probabilities
        content["probabilities"] = {label: round(share, 6) for label, share in shares.items()}
    content["facts"] = [list(fact) for fact in prediction.facts]
    if prediction.omitted:
        content["omitted_facts"] = prediction.omitted
    if prediction.cut:
        content["cut_tokens"] = prediction.cut
    return content


if __name__ == "__main__":
    sys.exit(main())
