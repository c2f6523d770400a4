"""`facts GRAPH NAME`: show who is called so, and what the graph says about each of them."""

from __future__ import annotations

import argparse
import unicodedata
from typing import TYPE_CHECKING, Any

from graphs.commands import console
from graphs.commands.graph import add_graph, open_graph
from graphs.commands.layout import shown, table
from graphs.errors import GraphError, suggestion
from graphs.terms import parse_literal
from graphs.triple import Triple

if TYPE_CHECKING:
    from graphs.store import TripleStore

_SMALL = 50_000  # heads among which a misspelt one is looked for
_NEAR = 3
_CANDIDATES = 10


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_graph(parser)
    parser.add_argument("name", metavar="NAME", help="a name, an alias, or the id of an entity")
    parser.add_argument(
        "--limit",
        type=int,
        default=20,
        metavar="N",
        help="show at most so many facts of an entity (default: 20)",
    )
    parser.add_argument(
        "--incoming", action="store_true", help="show the triples whose tail it is, too"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print every candidate."""
    if options.limit < 0:
        raise GraphError(f"--limit is {options.limit}; it must not be negative")
    store = open_graph(options)
    name = options.name
    if name.startswith("<") and name.endswith(">"):  # as RDF writes an IRI
        name = name[1:-1]
    entities = list(store.candidates(name))
    if not entities:
        raise GraphError(
            f"graph {store.name!r} has nothing called {options.name!r}{_near(store, options.name)}"
        )
    shown = entities if options.json else entities[:_CANDIDATES]
    found = [_entity(store, each, limit=options.limit, incoming=options.incoming) for each in shown]
    if options.json:
        console.emit_json({"name": options.name, "entities": found})
        return
    for number, entity in enumerate(found):
        for line in ([""] if number else []) + _render(entity, limit=options.limit):
            console.emit(line)
    if len(entities) > len(shown):
        console.emit(f"\n… and {len(entities) - len(shown)} more of this name (--json has them)")


def _entity(store: TripleStore, entity: str, *, limit: int, incoming: bool) -> dict[str, Any]:
    triples = [Triple(entity, *fact) for fact in store.facts(entity, limit=limit)]
    content: dict[str, Any] = {
        "entity": entity,
        "names": list(store.names_of(entity)),
        "total": store.degree(entity),
        "facts": [_spelled(store, triple) for triple in triples],
    }
    if incoming:
        content["incoming_total"] = store.tail_count(entity)
        content["incoming"] = [
            _spelled(store, triple) for triple in store.subjects(entity, limit=limit)
        ]
    return content


def _spelled(store: TripleStore, triple: Triple) -> dict[str, str]:
    return {
        **triple._asdict(),
        "head_name": store.name_of(triple.head),
        "relation_name": store.relation_name(triple.relation),
        "tail_name": store.name_of(triple.tail),
        **_origin(store, triple),
    }


def _origin(store: TripleStore, triple: Triple) -> dict[str, str]:
    """Say which of several sources brought a triple."""
    source = store.source_of(triple) if len(store.sources) > 1 else None
    return {} if source is None else {"source": source.path}


def _render(entity: dict[str, Any], *, limit: int) -> list[str]:
    first, *aliases = [*entity["names"], ""][: len(entity["names"]) or 1]
    title = shown(entity["entity"], limit=None)
    if first and first != entity["entity"]:
        title = f"{shown(first)}  {title}"
    lines = [title]
    if aliases:
        lines.append("  also called " + ", ".join(map(shown, aliases)))
    lines += table([_said(fact, "tail") for fact in entity["facts"]])
    lines += _rest(entity["total"], shown_already=len(entity["facts"]), what="facts", limit=limit)
    if "incoming" in entity:
        lines += table([_said(fact, "head") for fact in entity["incoming"]])
        shown_already = len(entity["incoming"])
        lines += _rest(
            entity["incoming_total"], shown_already=shown_already, what="incoming", limit=limit
        )
    return lines


def _said(fact: dict[str, str], end: str) -> list[str]:
    """Return the cells of a triple: names, and the ids where they are something else."""
    relation, other = fact["relation_name"], fact[f"{end}_name"]
    arrow = "→" if end == "tail" else "←"
    ids = [] if fact["relation"] == relation else [fact["relation"]]
    if (parts := parse_literal(fact[end])) is not None:
        ids += [f"@{parts.language}"] if parts.language else []
        ids += [f"^^{parts.datatype}"] if parts.datatype else []
    elif fact[end] != other:
        ids.append(fact[end])
    return [shown(relation), arrow, shown(other or fact[end]), shown("  ".join(ids), limit=None)]


def _rest(total: int, *, shown_already: int, what: str, limit: int) -> list[str]:
    if not total:
        return [f"  no {what}"]
    rest = total - shown_already
    return [f"  … and {rest:,} more (--limit {limit})"] if rest > 0 else []


def _near(store: TripleStore, name: str) -> str:
    """Suggest a name: one that differs in case or width, begins so, or is spelt alike."""
    wanted = _folded(name)
    begun: list[str] = []
    small: list[str] = []
    is_small = len(store.heads) <= _SMALL
    for head in store.heads:
        known = store.name_of(head) if store.named else head
        folded = _folded(known)
        if folded == wanted:
            return f"; did you mean {known!r}?"
        if wanted and len(begun) < _NEAR and folded.startswith(wanted) and known not in begun:
            begun.append(known)
        if is_small:
            small.append(known)
    if near := suggestion(name, small):
        return near
    return f"; some names begin so: {', '.join(map(repr, begun))}" if begun else ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
