"""`link GRAPH TEXT`: find the entities of a graph in a text, or in the lines of standard input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphs.commands import console
from graphs.commands.graph import add_forms, add_graph, index_of, open_graph
from graphs.commands.layout import shown, table
from graphs.errors import GraphError

if TYPE_CHECKING:
    from graphs.mentions import MentionIndex
    from graphs.store import TripleStore

_CANDIDATES = 10


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_graph(parser)
    parser.add_argument("text", metavar="TEXT", help="the text; - for standard input, one a line")
    add_forms(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, a line for a text")


def run(options: argparse.Namespace) -> None:
    """Print the mentions of each text."""
    texts = _texts(options.text)
    store = open_graph(options)
    index = index_of(store, options)
    for text in texts:
        mentions = list(_mentions(store, index, text))
        if options.json:
            console.emit_json({"text": text, "mentions": mentions}, lines=True)
        else:
            for line in [shown(text, limit=None), *_rows(store, mentions)]:
                console.emit(line)
        sys.stdout.flush()  # who sends lines one by one waits for each answer


def _texts(argument: str) -> Iterator[str]:
    from graphs.texts import read_stream
    from graphs.triple import is_text

    if argument == "-":
        return read_stream(sys.stdin.buffer, name="standard input")
    if not is_text(argument):
        raise GraphError("TEXT is not UTF-8")
    return iter((argument,))


def _mentions(store: TripleStore, index: MentionIndex, text: str) -> Iterator[dict[str, Any]]:
    for start, end, _ in index.find(text):
        name = text[start:end]
        candidates = [
            {
                "entity": entity,
                "name": store.name_of(entity),
                "facts": store.degree(entity, in_words=True),
            }
            for entity in index.candidates(name)
        ]
        yield {"start": start, "end": end, "name": name, "candidates": candidates}


def _rows(store: TripleStore, mentions: list[dict[str, Any]]) -> list[str]:
    rows = []
    for mention in mentions:
        place = f"{mention['start']}–{mention['end']}"
        name = shown(mention["name"])
        for candidate in mention["candidates"][:_CANDIDATES]:
            facts = candidate["facts"]
            counted = f"{facts:,} fact" + "s" * (facts != 1)
            called = shown(candidate["entity"])
            if store.named and candidate["name"] != candidate["entity"]:
                called = f"{shown(candidate['name'])}  {called}"
            rows.append([place, name, "→", called, counted])
            place, name = "", ""  # further candidates of the same mention
        rest = len(mention["candidates"]) - _CANDIDATES
        if rest > 0:
            rows.append(["", "", "", f"… and {rest:,} more (--json has them)", ""])
    return table(rows)
