"""`info GRAPH`: sum up a graph, its relations, degrees, languages and suspicious names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.commands import console
from graphs.commands.graph import add_graph, open_graph
from graphs.commands.layout import bar, number, share, shown, table

if TYPE_CHECKING:
    from graphs.statistics import Bin
    from graphs.summary import Summary
    from graphs.suspicions import Suspicion

_RELATIONS = 15
_LANGUAGES = 8


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_graph(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, with every relation")
    parser.add_argument(
        "--picture", metavar="FILE", help="draw the degrees (.png, .svg, .pdf; needs matplotlib)"
    )


def run(options: argparse.Namespace) -> None:
    """Print the summary."""
    from graphs.statistics import degrees
    from graphs.summary import summarise

    if options.picture is not None:
        from graphs.pictures import check_picture

        check_picture(options.picture)
    store = open_graph(options)
    summary = summarise(store)
    if options.picture is not None:
        from graphs.pictures import draw_degrees

        draw_degrees(degrees(store), options.picture, title=f"Degrees in {store.name}")
        console.say(f"picture: {options.picture}")
    if options.json:
        console.emit_json(summary.to_dict())
        return
    for line in render(summary):
        console.emit(line)


def render(summary: Summary) -> list[str]:
    """Return the summary as lines for a person."""
    return [
        *_counts(summary),
        *_relations(summary),
        *_degrees("facts of an entity", summary.facts),
        *_degrees("triples an entity is the tail of", summary.incoming),
        *_hubs(summary),
        *_literals(summary),
        *_suspicions(summary.suspicions),
        *_sources(summary),
    ]


def _counts(summary: Summary) -> list[str]:
    rows = [["called", shown(summary.title)]] if summary.title else []
    rows += [
        ["triples", number(summary.triples)],
        ["entities", number(summary.entities)],
        ["  with facts", number(summary.heads)],
        *([["  with facts in words", number(summary.sayable)]] if summary.named else []),
        ["relations", number(len(summary.relations))],
        ["components", number(summary.components)],
        ["  in the largest", share(summary.largest, summary.entities) + " of the entities"],
    ]
    if summary.duplicates:
        rows.append(["duplicates left out", number(summary.duplicates)])
    if summary.skipped:
        rows.append(["bad lines skipped", number(summary.skipped)])
    if summary.named:
        languages = ", ".join(summary.preferred_languages) or "any"
        rows.append(["languages of names", languages])
        rows.append(["naming relations", ", ".join(map(shown, summary.naming)) or "none"])
    return [shown(summary.graph, limit=None), *table(rows)]


def _relations(summary: Summary) -> list[str]:
    if not summary.relations:
        return []
    rows = [["relation", "triples", "share", "class", "tails/head", "heads/tail", "symmetric"]]
    for each in summary.relations[:_RELATIONS]:
        rows.append(
            [
                shown(each.relation),
                number(each.triples),
                share(each.triples, summary.triples),
                each.cardinality,
                f"{each.tails_per_head:.2f}",
                f"{each.heads_per_tail:.2f}",
                f"{each.symmetric:.1%}",
            ]
        )
    rest = len(summary.relations) - _RELATIONS
    more = [f"  … and {rest:,} more relations (--json has them)"] if rest > 0 else []
    return ["", "relations", *table(rows, right=(1, 2, 4, 5, 6)), *more]


def _degrees(title: str, bins: Sequence[Bin]) -> list[str]:
    if not bins:
        return []
    most = max(each.entities for each in bins)
    rows = [[_range(each), number(each.entities), bar(each.entities, most=most)] for each in bins]
    return ["", title, *table(rows, right=(0, 1))]


def _range(each: Bin) -> str:
    return number(each.low) if each.low == each.high else f"{each.low:,}–{each.high:,}"


def _hubs(summary: Summary) -> list[str]:
    rows = [["entity", "facts", "as tail"]]
    for hub in summary.hubs:
        name = shown(hub.entity)
        if summary.named and hub.name and hub.name != hub.entity:
            name = f"{shown(hub.name)}  {name}"
        rows.append([name, number(hub.facts), number(hub.incoming)])
    return ["", "entities with most triples", *table(rows, right=(1, 2))] if summary.hubs else []


def _literals(summary: Summary) -> list[str]:
    lines: list[str] = []
    pairs = (("language of literals", summary.languages), ("datatype", summary.datatypes))
    for title, counts in pairs:
        if counts:
            rows = [
                [shown(name) or "none", number(count)]
                for name, count in list(counts.items())[:_LANGUAGES]
            ]
            rest = len(counts) - len(rows)
            lines += ["", title, *table(rows, right=(1,))]
            lines += [f"  … and {rest:,} more (--json has them)"] if rest > 0 else []
    return lines


def _suspicions(suspicions: Sequence[Suspicion]) -> list[str]:
    lines = ["", "suspicious names"]
    for each in suspicions:
        examples = ", ".join(shown(example, limit=30) for example in each.examples)
        more = ", …" if each.cases > len(each.examples) else ""
        lines += [f"  {each.kind}: {each.cases:,} {each.meaning}", f"      {examples}{more}"]
    return lines if suspicions else [*lines, "  none"]


def _sources(summary: Summary) -> list[str]:
    if not summary.sources:
        return []
    lines = ["", "sources"]
    for source in summary.sources:
        rest = dict(source)
        path = shown(str(rest.pop("path")), limit=None)
        said = (f"{key} {_plain(value)}" for key, value in rest.items() if value not in ("", 0))
        lines.append(f"  {path}: {', '.join(said)}")
    return lines


def _plain(value: object) -> str:
    return number(value) if isinstance(value, int) else shown(str(value), limit=None)
