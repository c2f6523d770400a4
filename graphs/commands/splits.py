"""`splits FOLDER`: report what train, dev and test triples tell of one another (leakage)."""

from __future__ import annotations

import argparse

from graphs.commands import console


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        "folder", metavar="FOLDER", help="holds train, dev (or valid) and test, .tsv or .txt"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the report."""
    from graphs.leakage import leakage
    from graphs.splits import Splits

    report = leakage(Splits.open(options.folder))
    if options.json:
        console.emit_json(report.to_dict())
    else:
        console.emit(report.render().rstrip("\n"))
