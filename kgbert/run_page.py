"""`python -m kgbert.run_page RUN`: the report of a run over triples as a page, `RUN/report.html`.

`kgbert.train` and `kgbert.evaluate` write it at their end; this command makes it again, and those
of the evaluations in the run. It reads nothing but the folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from graphs.errors import GraphError
from kbert import console
from kbert.errors import KbertError, RunError
from kbert.run_page import REPORT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(
        prog="python -m kgbert.run_page",
        description="Write the report of a run of kgbert.train, or of one evaluation, as a page.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, or that of an evaluation")
    options = parser.parse_args(arguments)
    return console.guard(lambda: _write(options))


def _write(options: argparse.Namespace) -> None:
    from kbert.run_pages import plots

    if not plots.available():
        console.say(f"note: {plots.MISSING}")
    folder = Path(options.run)
    is_run = (folder / "run.json").exists()
    for file in write_pages(folder) if is_run else [write_evaluation(folder)]:
        console.emit(str(file))


def write_pages(run: str | Path) -> list[Path]:
    """Write the page of a run and those of the evaluations in it, and return the files.

    Raises `RunError` for a folder that is no run over triples, or that cannot be written to.
    """
    from kbert.run_pages.document import report, write_document
    from kbert.run_pages.folder import RunFiles
    from kgbert.evaluation import FOLDER
    from kgbert.outcome import METRICS
    from kgbert.record import KIND
    from kgbert.run_pages import trained
    from kgbert.run_pages.evaluated import Evaluated

    files = RunFiles.read(run)
    if files.task != KIND:
        raise RunError(
            f"{files.folder}: not a run of kgbert.train; say python -m kbert.run_page"
            f" {files.folder}"
        )
    folders = sorted(file.parent for file in (files.folder / FOLDER).glob(f"*/{METRICS}"))
    written = [write_evaluation(folder) for folder in folders]
    found = [Evaluated.read(folder, link=f"{FOLDER}/{folder.name}/{REPORT}") for folder in folders]
    with _damaged(files.folder):
        page = report(trained.title(files), trained.body(files, found))
    write_document(files.folder / REPORT, page)
    return [files.folder / REPORT, *written]


def write_evaluation(folder: Path) -> Path:
    """Write the page of an evaluation, and return its file. Raises `RunError`."""
    from kbert.run_pages.document import report, write_document
    from kgbert.run_pages import evaluated
    from kgbert.run_pages.evaluated import Evaluated

    found = Evaluated.read(folder)
    with _damaged(folder):
        page = report(evaluated.title(found), evaluated.body(found))
    write_document(folder / REPORT, page)
    return folder / REPORT


@contextmanager
def _damaged(folder: Path) -> Iterator[None]:
    """Turn what JSON does not hold into a line."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RunError(f"{folder}: run.json or metrics.json is damaged: {error!r}") from None


def report_on(run: str | Path, *, evaluation: Path | None = None) -> None:
    """Write pages at the end of a command; that they cannot be made is said, and no failure.

    With an `evaluation` its page is written, and that of its run if it stands there.
    """
    from kbert.run_pages import plots

    if not plots.available():
        console.say(f"note: {plots.MISSING}")
    try:
        file = Path(run) / REPORT if evaluation is None else write_evaluation(evaluation)
        if evaluation is None or Path(run).resolve() in evaluation.resolve().parents:
            write_pages(run)
        console.say(f"report: {file}")
    except (KbertError, GraphError) as error:
        console.say(f"note: no report was written: {error}")


if __name__ == "__main__":
    sys.exit(main())
