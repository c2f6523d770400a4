"""Make the example pages of the documentation, and their pictures, with `kbert.inspect`.

`python -m benchmarks.example_pages` writes `docs/examples`. With `--rdf-run runs/trec-dbo`, which
`docs/rdf.md` makes, the page about RDF is that of a trained model. The data sets are found as for
the benchmarks, and pictures are taken in a headless Chromium. `--review FOLDER` also writes what to
look at before such a page is published: each at 390 and at 1440 pixels, in light, dark and print.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.chromium import Browser, browser
from benchmarks.data import REPOSITORY, data_folder
from kbert import console, inspect
from kbert.errors import RunError

EXAMPLES: Final = REPOSITORY / "docs" / "examples"
_PICTURE: Final = (1000, 1500)  # width, and at most this height


class Example(NamedTuple):
    """One page: the command's arguments, and the token that is lit in its picture.

    `place` is where its graph is: in the repository, among the data sets, or in a folder.
    """

    name: str
    text: str
    flags: tuple[str, ...]
    place: str
    lit: int


PAPER: Final = Example(
    "paper",
    "Tim Cook is currently visiting Beijing now",
    ("--kg", "docs/examples/paper.tsv", "--cased"),
    "repository",
    1,
)
HOWNET: Final = Example(
    "chnsenticorp",
    "房间隔音效果极差，深夜如果隔壁客人大声喧哗的话…… 服务员会去提醒，但仅限于你投诉后",
    ("--kg", "kg/HowNet.spo", "--vocab", "vocab/google_zh_vocab.txt"),
    "data",
    20,
)
RDF: Final = Example(
    "rdf",
    "Which river flows through the city of Warsaw?",
    (
        "--kg", "rdf/dbpedia-ontology/dbo-snapshots.ttl", "--kg-languages", "en", "--fold-case",
        "--allow-relations", "http://www.w3.org/2000/01/rdf-schema#comment",
        "--vocab", "vocab/google_uncased_en_vocab.txt",
    ),
    "data",
    2,
)  # fmt: skip


def write_page(example: Example, folder: Path) -> Path:
    """Write the page of an example. Raises `RunError` where the command fails."""
    file = folder.resolve() / f"{example.name}.html"
    if example.place == "data":
        place = data_folder()
    else:
        place = REPOSITORY if example.place == "repository" else Path(example.place)
    with contextlib.chdir(place):  # the page names its graph as it is called here
        flags = [example.text, *example.flags, "--html", str(file), "--overwrite"]
        if inspect.main(flags):
            raise RunError(f"{example.name}: kbert.inspect failed")
    return file


def with_run(example: Example, run: Path) -> Example:
    """Return an example as a model reads it, from where the model was trained."""
    place = run.resolve().parent.parent  # `runs/NAME` is what the documents write
    return example._replace(flags=("--run", str(run.resolve())), place=str(place))


def take_picture(running: Browser, file: Path, *, lit: int) -> None:
    """Write a PNG beside a page, with one token lit."""
    page = running.page()
    page.resize(_PICTURE[0])
    page.media()
    page.open(file)
    page.evaluate(f"document.querySelector('.wide [data-token=\"{lit}\"]').focus(), true")
    page.settle()
    page.screenshot(file.with_suffix(".png"), most=_PICTURE[1])
    page.close()


def review(running: Browser, file: Path, folder: Path) -> None:
    """Write a page as it looks on a phone and on a desk, in light, in dark and in print."""
    page = running.page()
    page.open(file)
    for width in (390, 1440):
        for look in ("light", "dark", "print"):
            page.resize(width)
            page.media(dark=look == "dark", kind="print" if look == "print" else "screen")
            page.settle()
            page.screenshot(folder / f"{file.stem}-{width}-{look}.png", most=4000)
    page.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(prog="python -m benchmarks.example_pages", description=__doc__)
    parser.add_argument("--rdf-run", type=Path, metavar="RUN", help="the run of docs/rdf.md")
    parser.add_argument("--review", type=Path, metavar="FOLDER", help="write pictures to look at")
    options = parser.parse_args(arguments)
    return console.guard(lambda: _make(options))


def _make(options: argparse.Namespace) -> None:
    rdf = RDF if options.rdf_run is None else with_run(RDF, options.rdf_run)
    examples = [PAPER, HOWNET, rdf]
    with browser() as running:
        for example in examples:
            file = write_page(example, EXAMPLES)
            take_picture(running, file, lit=example.lit)
            if options.review is not None:
                options.review.mkdir(parents=True, exist_ok=True)
                review(running, file, options.review)


if __name__ == "__main__":
    sys.exit(main())
