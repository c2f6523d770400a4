"""`python -m kbert.run_page RUN`: the report of a run as a page, `RUN/report.html`.

`kbert.train` and `kbert.pretrain` write it at their end; this command makes it again, for a run of
an older version too. It reads what the run folder holds; for the mistakes of a fine-tuned model it
predicts the test set again, if data and graph are where they were.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graphs.errors import GraphError
from kbert import console
from kbert.errors import KbertError, RunError

if TYPE_CHECKING:
    from kbert.run_pages.folder import RunFiles
    from kbert.run_pages.mistakes import Tested

REPORT: Final = "report.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    return console.guard(lambda: _write(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kbert.run_page",
        description="Write the report of a run of kbert.train or kbert.pretrain as a page.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help=f"(default: RUN/{REPORT}, replaced)"
    )
    parser.add_argument(
        "--no-test", action="store_true", help="do not predict the test set again for its mistakes"
    )
    return parser


def _write(options: argparse.Namespace) -> None:
    file = write_page(options.run, output=options.output, test=not options.no_test)
    console.emit(str(file))


def write_page(run: str | Path, *, output: Path | None = None, test: bool = True) -> Path:
    """Write the page of a run, in place of an earlier one, and return its file.

    With `test` a fine-tuned model predicts its test set again. Raises `RunError` for a folder that
    is no run, or one that cannot be written to.
    """
    from kbert.run_pages import finetuned, plots, pretrained
    from kbert.run_pages.document import report, write_document
    from kbert.run_pages.folder import RunFiles

    files = RunFiles.read(run)
    file = output or files.folder / REPORT
    if not plots.available():
        console.say(f"note: {plots.MISSING}")
    if files.task == "kgbert":
        raise RunError(
            f"{files.folder}: a run of kgbert.train; say python -m kgbert.run_page {files.folder}"
        )
    try:
        if files.task == "pretraining":
            title, body = pretrained.title(files), pretrained.body(files)
        else:
            tested, why_not = _tested(files) if test else (None, "The test set was not asked for.")
            title = finetuned.title(files)
            body = finetuned.body(files, tested, why_not=why_not)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RunError(f"{files.folder}: run.json or metrics.json is damaged: {error!r}") from None
    write_document(file, report(title, body))
    return file


def report_on(run: str | Path) -> None:
    """Write the page at the end of a command; that it cannot be made is said, and no failure."""
    if not console.speaks():
        return
    try:
        console.say(f"report: {write_page(run)}")
    except (KbertError, GraphError) as error:
        console.say(f"note: no report was written: {error}")


def _tested(files: RunFiles) -> tuple[Tested | None, str]:
    """Predict the test set again; where that is not possible, say why."""
    from kbert.run_pages.mistakes import examine

    try:
        found = examine(files.folder, device=_device(files))
    except (KbertError, GraphError) as error:
        console.say(f"note: the report shows no mistakes: {error}")
        return None, f"The test set could not be predicted again: {error}"
    return found, "" if found is not None else "There is no test set."


def _device(files: RunFiles) -> str:
    """Predict where the run was trained, if that is here."""
    if files.run.get("settings", {}).get("accelerator") == "cpu":
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    sys.exit(main())
