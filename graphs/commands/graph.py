"""The argument GRAPH and its options, which most commands take, and the index over it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from graphs.commands import console
from graphs.progress import reading

if TYPE_CHECKING:
    from graphs.mentions import MentionIndex
    from graphs.store import TripleStore


def add_graph(parser: argparse.ArgumentParser) -> None:
    """Add GRAPH, --language and --on-error."""
    parser.add_argument(
        "graph",
        metavar="GRAPH",
        help="a name of the catalogue, a file of triples, or a folder that build wrote",
    )
    add_language(parser)
    add_on_error(parser)


def add_language(parser: argparse.ArgumentParser) -> None:
    """Add --language."""
    parser.add_argument(
        "--language",
        nargs="+",
        default=(),
        metavar="TAG",
        help="languages of names in RDF, the preferred first, as in --language zh en",
    )


def add_on_error(parser: argparse.ArgumentParser) -> None:
    """Add --on-error."""
    parser.add_argument(
        "--on-error",
        choices=("fail", "skip"),
        default="fail",
        help="skip: leave out lines that hold no triple, and count them (default: fail)",
    )


def open_graph(options: argparse.Namespace) -> TripleStore:
    """Open GRAPH. Raises `GraphError`."""
    from graphs.catalog import load

    with reading(options.graph) as progress:
        return load(
            options.graph,
            on_error=options.on_error,
            announce=lambda line: console.say(f"note: {line}"),
            languages=tuple(options.language),
            progress=progress,
        )


def add_forms(parser: argparse.ArgumentParser) -> None:
    """Add the options of the mention index."""
    parser.add_argument(
        "--min-length",
        type=int,
        default=2,
        metavar="N",
        help="least number of characters of a name that is found (default: 2)",
    )
    parser.add_argument(
        "--case-fold",
        "--fold-case",
        action="store_true",
        help="find names whatever their case in the text",
    )
    parser.add_argument(
        "--nfkc", action="store_true", help="find names whatever their width (Ａ as A, ① as 1)"
    )


def index_of(store: TripleStore, options: argparse.Namespace) -> MentionIndex:
    """Build the index that training builds: over the entities that have something to say."""
    from graphs import selection
    from graphs.mentions import MentionIndex

    return MentionIndex(
        store,
        min_length=options.min_length,
        case_fold=options.case_fold,
        nfkc=options.nfkc,
        only=selection.make("first", store).heads() if store.named else None,
    )
