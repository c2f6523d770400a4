"""`build FILE … -o FOLDER`: compile files into a folder that opens at once, whatever its size.

The folder appears only when it is complete.
"""

from __future__ import annotations

import argparse

from graphs.commands import console
from graphs.commands.graph import add_language, add_on_error
from graphs.progress import Stages


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
    with Stages(say=console.say) as stages:
        store = compile(
            options.files,
            options.output,
            languages=tuple(options.language),
            aliases=options.names,
            forms=() if form.is_identity else (form,),
            on_error=options.on_error,
            overwrite=options.overwrite,
            name=options.name,
            announce=stages.note,
            progress=stages,
        )
    for line in render(summarise(store)):
        console.emit(line)
