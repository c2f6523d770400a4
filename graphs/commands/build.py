"""`build FILE … -o FOLDER`: compile files into a folder that opens at once, whatever its size.

The folder appears only when it is complete. On a terminal progress is a bar with the time left,
elsewhere a line a stage.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from graphs.commands import console
from graphs.commands.graph import add_language, add_on_error

if TYPE_CHECKING:
    from graphs.compiled.compiler import Progress


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="files or folders of triples")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="the folder to write"
    )
    parser.add_argument("--name", help="what the graph is called (default: the folder)")
    add_language(parser)
    parser.add_argument(
        "--names",
        action="append",
        default=[],
        metavar="FILE",
        help="a file of names, entity TAB name TAB alias …; for several say --names again",
    )
    add_on_error(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the graph that is in FOLDER"
    )
    parser.add_argument(
        "--case-fold",
        "--fold-case",
        action="store_true",
        help="index names for finding them in any case, too",
    )
    parser.add_argument(
        "--nfkc", action="store_true", help="index names for finding them in any width, too"
    )


def run(options: argparse.Namespace) -> None:
    """Compile, then say what came of it."""
    from graphs.commands.info import render
    from graphs.compiled.building import compile
    from graphs.normal import NormalForm
    from graphs.summary import summarise

    form = NormalForm(case_fold=options.case_fold, nfkc=options.nfkc)
    with Stages() as stages:
        store = compile(
            options.files,
            options.output,
            languages=tuple(options.language),
            aliases=options.names,
            forms=() if form.is_identity else (form,),
            on_error=options.on_error,
            overwrite=options.overwrite,
            name=options.name,
            announce=lambda line: stages.note(f"note: {line}"),
            progress=stages,
        )
    for line in render(summarise(store)):
        console.emit(line)


class Stages:
    """Show how far each stage of a long piece of work is, on standard error."""

    def __init__(self) -> None:
        """Show nothing before the first stage begins."""
        self._stage = ""
        self._started = 0.0
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        """Take note of `progress`; a total of 0 is unknown."""
        if progress.stage != self._stage:
            self._end()
            self._stage, self._started = progress.stage, time.monotonic()
            if sys.stderr.isatty():
                from tqdm import tqdm

                self._bar = tqdm(
                    desc=progress.stage, total=progress.total or None, unit_scale=True, leave=False
                )
        if self._bar is not None:
            self._bar.total = progress.total or None
            self._bar.update(progress.done - self._bar.n)

    def note(self, line: str) -> None:
        """Write a line between the bars."""
        if self._bar is not None:
            self._bar.clear()
        console.say(line)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the last stage; of one that failed only the error is told."""
        self._end(failed=kind is not None)

    def _end(self, *, failed: bool = False) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._stage and not failed:
            seconds = time.monotonic() - self._started
            console.say(f"{self._stage}: {seconds:.1f} s")
        self._stage = ""
