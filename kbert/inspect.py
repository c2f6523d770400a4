"""`python -m kbert.inspect TEXT --kg GRAPH [--run RUN]`: what was injected, and what it does.

The sentence tree is drawn on standard output: mentions, facts with their soft positions, and what
was left out and why. With `--run` a trained model says what it predicts, and what it would predict
without each fact. `--html FILE` writes all of it, with the visible matrix and the attention, as one
page for a browser.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from kbert import console
from kbert.errors import DataError, SettingsError
from kbert.flags import HELP, add_settings
from kbert.settings import TrainSettings

_KNOWLEDGE: Final = {k: v for k, v in HELP["knowledge"].items() if k != "fact_dropout"}
_PIECES: Final = {
    "init": "take the pieces of this pre-trained model: a folder or a hub id",
    "vocab": "take the pieces of this vocab.txt (default: learnt from the text and its facts)",
    "cased": "keep upper case (for --vocab or a learnt vocabulary)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    return console.guard(lambda: _inspect(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kbert.inspect",
        description="Show the sentence tree of a text: what was injected, why not more, and what"
        " a trained model makes of it.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("text", metavar="TEXT", help="the text to look into")
    add("--pair", metavar="TEXT", help="the second text of a pair")
    add("--run", metavar="RUN", help="a run of kbert.train: its graph, settings and predictions")
    add("--html", metavar="FILE", type=Path, help="write one page for a browser, too")
    add("--overwrite", action="store_true", help="replace FILE")
    add("--allow-other-graph", action="store_true",
        help="predict although the graph is not the one that the run was trained with")  # fmt: skip
    add("--effects", action=argparse.BooleanOptionalAction, default=True,
        help="with --run: predict without each fact (default: yes)")  # fmt: skip
    add("--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda or cuda:N")
    length = {"max_length": HELP["data"]["max_length"]}
    add_settings(parser, TrainSettings, {"knowledge": _KNOWLEDGE | length, "pieces": _PIECES})
    return parser


def _inspect(options: argparse.Namespace) -> None:
    overrides = {name: value for name in (*_KNOWLEDGE, "max_length", *_PIECES)
                 if (value := getattr(options, name, None)) is not None}  # fmt: skip
    _check(options, overrides)
    settings = TrainSettings(**overrides)
    from kbert.drawing import draw
    from kbert.inspection import with_model, without_model

    if options.run is None:
        seen = without_model(options.text, options.pair, settings=settings)
    else:
        from kbert.devices import check_device

        seen = with_model(
            options.text,
            options.pair,
            run=options.run,
            overrides=overrides,
            allow_other_graph=options.allow_other_graph,
            device=check_device(options.device),
            effects=options.effects,
            attention=options.html is not None,
        )
    findings = seen.findings
    outcome, effects = (None, ()) if findings is None else (findings.outcome, findings.effects)
    if options.html is not None:
        from kbert.pages.inspection import inspection_page

        _write(options.html, inspection_page(seen.account, findings))
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 1 << 16
    console.emit(draw(seen.account, columns=columns, outcome=outcome, effects=effects))


def _check_texts(options: argparse.Namespace) -> None:
    for flag, text in (("TEXT", options.text), ("--pair", options.pair or "")):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise DataError(f"{flag} is not UTF-8: {text[:40]!r}")
    if not options.text.strip():
        raise DataError(f"TEXT is {options.text!r}; write a sentence")


def _check(options: argparse.Namespace, overrides: dict[str, Any]) -> None:
    """Refuse what would have no effect, before anything is read."""
    _check_texts(options)
    if options.run is None and "kg" not in overrides:
        raise SettingsError("name a graph with --kg, or a trained run with --run")
    if options.run is not None:
        for name in _PIECES:
            if name in overrides:
                raise SettingsError(
                    f"--{name} has no effect beside --run, which has its own pieces"
                )
    elif options.allow_other_graph or not options.effects:
        raise SettingsError("--allow-other-graph and --no-effects have no effect without --run")
    if options.html is not None:
        from kbert.pages.place import check_place

        check_place(options.html, overwrite=options.overwrite)
    if options.html is None and options.overwrite:
        raise SettingsError("--overwrite has no effect without --html")


def _write(file: Path, page: str) -> None:
    from graphs.replacing import replacing

    with replacing(file) as stream:
        stream.write(page.encode("utf-8"))
    console.say(f"page: {file}, {len(page.encode('utf-8')):,} bytes")


if __name__ == "__main__":
    sys.exit(main())
