"""`python -m kbert.fill SOURCE ["… [MASK] …" …]`: what may stand in the gaps, as JSON lines.

SOURCE is the folder or hub id of a masked language model. Texts come from the arguments, from
`--file`, or from standard input, one a line. Output is one JSON object a text, in order.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kbert import console
from kbert.errors import DataError
from kbert.lines import chunks, json_line, placed_texts

if TYPE_CHECKING:
    from kbert.filling import Filled


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    if options.source is None:
        parser.error("the following arguments are required: SOURCE")
    return console.guard(lambda: _fill(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kbert.fill",
        usage="%(prog)s [options] SOURCE [TEXT ...]",
        description="Name the tokens that [MASK] stands for in texts, as JSON lines.",
        allow_abbrev=False,
    )
    # Optional for the parser alone, which would else ask for TEXT as well where SOURCE is missing.
    parser.add_argument(
        "source", metavar="SOURCE", nargs="?", help="folder or hub id of a masked language model"
    )
    parser.add_argument(
        "texts", metavar="TEXT", nargs="*", help="texts with [MASK] (default: standard input)"
    )
    parser.add_argument("--file", metavar="FILE", help="file with one text a line")
    parser.add_argument(
        "--top-k", type=int, default=5, metavar="INT", help="candidates of each mask (default: 5)"
    )
    parser.add_argument("--kg", metavar="GRAPH", help="inject facts of this graph (default: none)")
    parser.add_argument(
        "--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda or cuda:N"
    )
    return parser


def _fill(options: argparse.Namespace) -> None:
    source = placed_texts(options.texts, file=options.file)
    if options.top_k < 1:
        raise DataError(f"--top-k must be at least 1, was {options.top_k}")
    from kbert.devices import check_device
    from kbert.filling import load_filler

    filler = load_filler(
        options.source,
        kg=options.kg,
        device=check_device(options.device),
        announce=console.say,
    )
    for places, texts in chunks(source):
        for filled in filler.fill(texts, top_k=options.top_k, places=places):
            console.emit(json_line(as_json(filled)))


def as_json(filled: Filled) -> dict[str, Any]:
    """Spell what was said of a text as plain values."""
    content: dict[str, Any] = {
        "text": filled.text,
        "masks": [
            {
                "start": filling.start,
                "end": filling.end,
                "candidates": [
                    {"piece": piece, "probability": round(probability, 6)}
                    for piece, probability in filling.candidates
                ],
            }
            for filling in filled.fillings
        ],
        "facts": [list(fact) for fact in filled.facts],
    }
    if filled.omitted:
        content["omitted_facts"] = filled.omitted
    if filled.cut:
        content["cut_tokens"] = filled.cut
    return content


if __name__ == "__main__":
    sys.exit(main())
