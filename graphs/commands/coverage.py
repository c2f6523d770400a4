"""`coverage GRAPH TEXTFILE`: measure what a graph adds to texts, and whether it tells labels."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphs.commands import console
from graphs.commands.graph import add_forms, add_graph, index_of, open_graph
from graphs.commands.layout import bar, number, share, shown, table
from graphs.errors import GraphError

if TYPE_CHECKING:
    from graphs.coverage import Coverage
    from graphs.overlap import Overlap

_MANY = 12
_TELLING = 0.5


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_graph(parser)
    parser.add_argument(
        "file",
        metavar="TEXTFILE",
        help="one text a line, or a table (.tsv, .csv, .jsonl); - for standard input",
    )
    parser.add_argument(
        "--column", metavar="NAME", help="column of the texts (default: text_a, else text)"
    )
    parser.add_argument(
        "--words", action="store_true", help="texts are words between spaces, as in tagging data"
    )
    parser.add_argument(
        "--max-facts",
        type=int,
        default=2,
        metavar="N",
        help="facts that a mention injects (default: 2)",
    )
    parser.add_argument(
        "--gold",
        metavar="FILE",
        help="a table of texts and labels, one a text or BIO tags, that the graph should not tell",
    )
    parser.add_argument(
        "--label", default="label", metavar="NAME", help="column of the labels (default: label)"
    )
    add_forms(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--picture", metavar="FILE", help="draw it (.png, .svg, .pdf; needs matplotlib)"
    )


def run(options: argparse.Namespace) -> None:
    """Print the measurements."""
    from graphs.coverage import measure_coverage
    from graphs.gold import read_gold
    from graphs.overlap import measure_overlap

    if options.picture is not None:
        from graphs.pictures import check_picture

        check_picture(options.picture)
    texts = _texts(options)
    store = open_graph(options)
    index = index_of(store, options)
    coverage = measure_coverage(store, texts, index=index, max_facts=options.max_facts)
    if not coverage.texts:
        raise GraphError(f"{options.file}: holds no text")
    overlap = None
    if options.gold is not None:
        gold = read_gold(options.gold, column=options.column, label=options.label)
        overlap = measure_overlap(store, gold, index=index, max_facts=options.max_facts)
    if options.picture is not None:
        from graphs.pictures import draw_coverage

        draw_coverage(coverage, options.picture)
        console.say(f"picture: {options.picture}")
    if options.json:
        told = {} if overlap is None else {"gold": overlap.to_dict()}
        console.emit_json(coverage.to_dict() | told)
    else:
        for line in [*_render(coverage), *([] if overlap is None else _render_overlap(overlap))]:
            console.emit(line)


def _texts(options: argparse.Namespace) -> Iterator[str]:
    from graphs.texts import read_stream, read_texts

    if options.file != "-":
        return read_texts(options.file, column=options.column, words=options.words)
    if options.column is not None:
        raise GraphError("standard input has one text a line and no columns; leave out --column")
    return read_stream(sys.stdin.buffer, name="standard input", words=options.words)


def _render(found: Coverage) -> list[str]:
    rows = [
        ["texts", number(found.texts), f"{number(found.characters)} characters"],
        ["with a mention", number(found.covered), share(found.covered, found.texts)],
        ["mentions", number(found.mentions), f"{found.mentions_per_text:.2f} a text"],
        [
            "characters in mentions",
            number(found.mention_characters),
            share(found.mention_characters, found.characters),
        ],
        ["ambiguous mentions", number(found.ambiguous), share(found.ambiguous, found.mentions)],
        ["mentions without a fact", number(found.silent), share(found.silent, found.mentions)],
        [f"facts injected (at most {found.max_facts})", number(found.facts), ""],
        [
            "characters of facts",
            number(found.fact_characters),
            share(found.fact_characters, found.characters + found.fact_characters)
            + " of text and facts",
        ],
        [
            "entities mentioned",
            number(found.mentioned),
            f"{share(found.mentioned, found.mentionable)} of {number(found.mentionable)}, "
            f"{number(found.never_mentioned)} never",
        ],
    ]
    if found.empty:
        rows.insert(1, ["empty texts", number(found.empty), share(found.empty, found.texts)])
    return [
        shown(found.graph, limit=None),
        *table(rows, right=(1,)),
        *_per_text(found),
        *_top(found),
    ]


def _per_text(found: Coverage) -> list[str]:
    counts = [0] * (_MANY + 1)
    for mentions, texts in found.per_text:
        counts[min(mentions, _MANY)] += texts
    labels = [*map(str, range(_MANY)), f"{_MANY}+"]
    rows = [
        [label, number(count), bar(count, most=max(counts))]
        for label, count in zip(labels, counts, strict=True)
    ]
    return ["", "texts by number of mentions", *table(rows, right=(0, 1))]


def _top(found: Coverage) -> list[str]:
    if not found.top:
        return []
    rows = [["no.", "mentioned most", "mentions", "called so", "facts"]]
    for place, each in enumerate(found.top, start=1):
        name = shown(each.name or each.entity)
        if each.name and each.name != each.entity:
            name = f"{name}  {shown(each.entity)}"
        counts = (each.mentions, each.candidates, each.facts)
        rows.append([str(place), name, *map(number, counts)])
    return ["", *table(rows, right=(0, 2, 3, 4))]


def _render_overlap(found: Overlap) -> list[str]:
    labels = ", ".join(shown(label, limit=20) for label in found.labels[:6])
    more = ", …" if len(found.labels) > 6 else ""
    rows = [
        ["texts", number(found.texts), f"{len(found.labels)} labels: {labels}{more}"],
        ["mentions", number(found.mentions), ""],
    ]
    if found.tagging:
        rows += [
            ["gold spans", number(found.spans), ""],
            ["mentions that are one", number(found.exact), ""],
            ["  precision, recall", f"{found.precision:.1%}", f"{found.recall:.1%}"],
        ]
    rows += [
        ["labelled mentions", number(found.labelled), ""],
        ["a fact names the label", number(found.naming), share(found.naming, found.labelled)],
        ["first fact tells the label", number(found.guessed), share(found.guessed, found.labelled)],
        ["the commonest label", number(found.majority), share(found.majority, found.labelled)],
    ]
    return ["", "overlap with gold labels", *table(rows, right=(1,)), *_warnings(found)]


def _warnings(found: Overlap) -> list[str]:
    lines = []
    if found.recall > _TELLING:
        lines.append(
            f"  warning: the names of the graph are {found.recall:.0%} of the gold spans; what a "
            "tagger gains from it may be these names alone"
        )
    others = found.labelled - found.majority
    if others and found.guessed - found.majority > _TELLING * others:
        lines.append(
            "  warning: a mention's first fact tells most labels that the commonest does not; "
            "what a model gains from it may be the labels themselves"
        )
    return lines
