"""Make the example pages of runs and triples of the documentation, and their pictures.

`python -m benchmarks.example_reports --kbert RUN --kgbert RUN` writes `docs/examples`; the runs are
what `python -m kbert.train --kg cn_dbpedia` and `python -m kgbert.train` wrote over the packaged
samples, the second one evaluated by `python -m kgbert.evaluate` for both tasks. Pictures are taken
in a headless Chromium; `--review FOLDER` also writes each page at 390 and at 1440 pixels, in light,
dark and print, to be looked at before it is published.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import kgbert.inspect
import kgbert.run_page
from benchmarks.chromium import Browser, browser
from benchmarks.data import REPOSITORY
from benchmarks.example_pages import review
from kbert import console, run_page
from kbert.errors import RunError

EXAMPLES: Final = REPOSITORY / "docs" / "examples"
TRIPLE: Final = ("sodium_fluoride", "contains", "sodium")
EVALUATIONS: Final = {
    "link-prediction": "kgbert-evaluation",
    "triple-classification": "kgbert-classification",
}
_PICTURED: Final = ("kbert-run", "kgbert-triple")
_PICTURE: Final = (1000, 1400)  # width, and at most this height


def write_pages(kbert_run: Path, kgbert_run: Path) -> list[Path]:
    """Write the pages by the commands. Raises `RunError` where one of them fails."""
    EXAMPLES.mkdir(exist_ok=True)
    report, triples, triple = (
        EXAMPLES / f"{name}.html" for name in ("kbert-run", "kgbert-run", "kgbert-triple")
    )
    question = [*TRIPLE, "--run", str(kgbert_run), "--html", str(triple), "--overwrite"]
    failed = (
        run_page.main([str(kbert_run), "-o", str(report)])
        or kgbert.run_page.main([str(kgbert_run)])
        or kgbert.inspect.main(question)
    )
    if failed:
        raise RunError("a page could not be made")
    text = (kgbert_run / run_page.REPORT).read_text(encoding="utf-8")
    written = [report, triples, triple]
    for task, name in EVALUATIONS.items():
        # They stand in one folder here, where they stand in the run's otherwise.
        link, file = f"evaluation/{task}-test/{run_page.REPORT}", EXAMPLES / f"{name}.html"
        text = text.replace(f'href="{link}"', f'href="{file.name}"')
        file.write_text((kgbert_run / link).read_text(encoding="utf-8"), encoding="utf-8")
        written.append(file)
    triples.write_text(text, encoding="utf-8")
    return written


def take_picture(running: Browser, file: Path) -> None:
    """Write a PNG beside a page."""
    page = running.page()
    page.resize(_PICTURE[0])
    page.media()
    page.open(file)
    page.screenshot(file.with_suffix(".png"), most=_PICTURE[1])
    page.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(prog="python -m benchmarks.example_reports", description=__doc__)
    parser.add_argument("--kbert", type=Path, required=True, metavar="RUN")
    parser.add_argument("--kgbert", type=Path, required=True, metavar="RUN")
    parser.add_argument("--review", type=Path, metavar="FOLDER", help="write pictures to look at")
    options = parser.parse_args(arguments)
    return console.guard(lambda: _make(options))


def _make(options: argparse.Namespace) -> None:
    files = write_pages(options.kbert, options.kgbert)
    with browser() as running:
        for file in files:
            if file.stem in _PICTURED:
                take_picture(running, file)
            if options.review is not None:
                options.review.mkdir(parents=True, exist_ok=True)
                review(running, file, options.review)


if __name__ == "__main__":
    sys.exit(main())
