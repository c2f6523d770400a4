"""`python -m kgbert.inspect HEAD RELATION TAIL --run RUN`: why a triple has its score.

Score, verdict, the input as the model reads it, what each text adds, the ranks on both sides, and
the nearest training triples; `--html` writes a page of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphs.errors import GraphError
from kbert import console
from kbert.errors import DataError, RunError, SettingsError

if TYPE_CHECKING:
    from kgbert.dataset import KnowledgeData
    from kgbert.explaining.explanation import Scope


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    return console.guard(lambda: _inspect(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kgbert.inspect",
        description="Say why a triple has its score.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    for name in ("head", "relation", "tail"):
        add(name, metavar=name.upper(), help=f"id or text of the {name}")
    add("--run", required=True, metavar="RUN", help="a run of kgbert.train, or a model folder")
    add("--html", type=Path, metavar="FILE", help="write a page, too")
    add("--overwrite", action="store_true", help="replace FILE")
    add("--dataset", metavar="NAME|FOLDER",
        help="where the run's data set is now (default: where it was)")  # fmt: skip
    add("--on-missing", choices=["error", "id", "text"], default="error",
        help="what is neither id nor text: an error (default), an id, or a text")  # fmt: skip
    add("--candidates", metavar="N|all", default="5000",
        help="rank among at most so many, drawn where there are more (default: 5000)")  # fmt: skip
    add("--neighbours", type=int, metavar="N", default=1000,
        help="training triples that are compared at most (default: 1000)")  # fmt: skip
    add("--top", type=int, metavar="N", default=5,
        help="candidates and neighbours that are shown (default: 5)")  # fmt: skip
    add("--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda or cuda:N")
    return parser


def _inspect(options: argparse.Namespace) -> None:
    scope = _scope(options)
    page: Path | None = options.html
    if page is not None:
        from kbert.pages.place import check_place

        check_place(page, overwrite=options.overwrite)
    run = Path(options.run)
    if not run.is_dir():  # the library would ask the hub for it
        from kgbert.record import unfinished

        raise RunError(f"--run {run}: no such run folder{unfinished(run)}")
    from kgbert.scorer import TripleScorer

    scorer = TripleScorer.from_pretrained(options.run, device=options.device, announce=console.say)
    found = scorer.explain(
        (options.head, options.relation, options.tail),
        data=_data(options),
        on_missing=options.on_missing,
        scope=scope,
    )
    if page is not None:
        from kbert.pages.markup import Html
        from kbert.run_pages.document import write_document

        write_document(page, Html(found.to_html()))
        console.say(f"wrote {page}")
    console.emit(found.render())


def _scope(options: argparse.Namespace) -> Scope:
    from kgbert.explaining.explanation import Scope

    text = options.candidates
    if text != "all" and not (text.isascii() and text.isdecimal()):
        raise SettingsError(f"--candidates is {text!r}; give a number, or all")
    return Scope(
        candidates=None if text == "all" else int(text),
        neighbours=options.neighbours,
        top=options.top,
        watch=_watch,
    )


def _watch(steps: Sequence[int], about: str) -> Iterable[int]:
    return console.progress(steps, about=about)


def _data(options: argparse.Namespace) -> KnowledgeData | None:
    """Load the run's data; where it is gone, and none was named, say what that means."""
    from kgbert.run import Run

    if options.dataset is None and not (Path(options.run) / "run.json").is_file():
        console.say("note: no run, so no data: ranks are raw, and nothing is near")
        return None
    run = Run.open(options.run)
    try:
        return run.load_data(options.dataset)
    except (DataError, GraphError, RunError) as error:
        if options.dataset is not None:
            raise
        console.say(
            f"note: ranks are raw, and no training triples are compared: {error}"
            " (--dataset names the data)"
        )
        return None


if __name__ == "__main__":
    sys.exit(main())
