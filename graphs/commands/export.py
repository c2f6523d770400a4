"""`export GRAPH --format FORMAT`: write a graph as nt, nq, ttl, tsv, graphml or parquet.

A file appears only when it is complete. Without `-o` the graph goes to standard output.
"""

from __future__ import annotations

import argparse
import sys

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
        help="the file to write or replace, compressed if it ends in .gz (default: stdout)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the graph."""
    from graphs.export import check, export, format_of, write

    if options.output is None and options.format is None:
        raise GraphError("which format? Give --format, or -o with a suffix")
    format = format_of(options.output or "", format=options.format)
    if options.output is None and format == "parquet":
        raise GraphError("parquet is no text for standard output; give -o FILE")
    store = open_graph(options)
    if options.output is None:
        check(store, format=format)
        write(store, sys.stdout.buffer, format=format)
        sys.stdout.buffer.flush()
        return
    export(store, options.output, format=format)
    console.say(f"{options.output}: {len(store):,} triples as {format}")
