"""`export GRAPH --format FORMAT`: write a graph as nt, nq, ttl, tsv, graphml or parquet.

A file appears only when it is complete. Without `-o` the graph goes to standard output.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graphs.commands import console
from graphs.commands.graph import add_graph, open_graph
from graphs.errors import GraphError


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_graph(parser)
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help="nt, nq, ttl, tsv, graphml or parquet (default: what the suffix of FILE says)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the file to write, compressed if it ends in .gz (default: stdout)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a FILE that is there")


def run(options: argparse.Namespace) -> None:
    """Write the graph."""
    from graphs.export import check, export, format_of, write

    if options.output is None and options.format is None:
        raise GraphError("which format? Give --format, or -o with a suffix")
    format = format_of(options.output or "", format=options.format)
    if options.output is None and format == "parquet":
        raise GraphError("parquet is no text for standard output; give -o FILE")
    if options.output is not None and Path(options.output).is_file() and not options.overwrite:
        raise GraphError(f"{options.output}: is there already; replace it with --overwrite")
    store = open_graph(options)
    if options.output is None:
        check(store, format=format)
        write(store, sys.stdout.buffer, format=format)
        sys.stdout.buffer.flush()
        return
    export(store, options.output, format=format)
    console.say(f"{options.output}: {len(store):,} triples as {format}")
