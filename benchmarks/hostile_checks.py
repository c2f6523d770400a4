"""Say what must hold for any input: it is refused in one line that names the file, or it is right.

Right means that ways which must agree do: reading and storing, both readers of Turtle, a graph in
memory and compiled, a graph and what it is written as, the mentions found and the text they are
found in. Anything else raises `Broken`, or the exception that a user would have seen.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import graphs
from benchmarks.hostile_cases import Case
from benchmarks.hostile_rules import attempt, check_line, renamed, require
from benchmarks.hostile_uses import MANY, check_command, check_store, sentences
from graphs import content, rdf
from graphs.mentions import MentionIndex
from graphs.opening import open_bytes
from graphs.readers import ReadReport, read_triples
from graphs.store import TripleStore
from graphs.syntax import ntriples
from graphs.triple import Triple

_LINES: Final = ("spo", "tsv", "csv", "nt", "nq")
_LONGEST_LINE: Final = 1 << 20


def examine(case: Case, *, rng: Random) -> str:
    """Put a case whose files lie in the current folder through everything; return what came of it.

    That is `read`, `empty` or `refused`. Raises `Broken`, and whatever else goes wrong.
    """
    if case.form == "compiled":
        return _examine_compiled(case, rng=rng)
    triples, refusal = attempt(lambda: list(read_triples(case.target)), names=case.target)
    require(case.how or not refusal, f"a sound file is refused: {refusal}")
    if case.form in _LINES:
        _check_skipping(case, triples, refusal)
    if case.form in ("ttl", "n3", "trig"):
        _check_engines(case, triples)
    if case.form == "nt" and triples is not None:
        _check_turtle_holds(triples)
    store, refused = attempt(lambda: TripleStore.open(case.target), names=case.target)
    if store is None:
        is_names = case.form in ("KG-BERT", "Wikidata5M")  # a file of names may be at fault
        require(refused == refusal or is_names, f"read, but not opened: {refused}")
    else:
        require(triples is not None, f"opened, but not read: {refusal}")
        require(list(store) == list(dict.fromkeys(triples or ())), "opened otherwise than read")
    if rng.random() < 0.5:
        _check_compiled(case, store, rng=rng)
    if store is not None:
        check_store(store, rng=rng)
    if rng.random() < 0.5:
        check_command(case, store, rng=rng)
    return "refused" if store is None else "read" if len(store) else "empty"


def _check_skipping(case: Case, triples: list[Triple] | None, refusal: str) -> None:
    report = ReadReport()
    found, skipping = attempt(
        lambda: list(read_triples(case.target, on_error="skip", report=report)),
        names=case.target,
    )
    for message in report.messages:
        check_line(message)
    if found is None:
        require(case.target.endswith((".gz", ".zst")), f"not skipped: {skipping}")
        return
    require(report.triples == len(found), f"{report.triples} of {len(found)} triples counted")
    if triples is not None:
        require(found == triples and not report.skipped, "skipping changes a sound file")
    else:
        require(report.skipped and report.messages[0] == refusal, "skipped in silence")


def _check_engines(case: Case, triples: list[Triple] | None) -> None:
    """Require that Turtle is the same with and without pyoxigraph."""
    if importlib.util.find_spec("pyoxigraph") is None:
        return

    def own() -> list[tuple[str, str, str]]:
        with open_bytes(case.target) as file:
            suffix = f".{case.form}"
            return list(rdf.read_rdf(file, path=case.target, suffix=suffix, engine="own"))

    found, _ = attempt(own, names=case.target)
    require((found is None) == (triples is None), "one reader of Turtle refuses, one does not")
    require(found is None or found == triples, "the readers of Turtle differ")


def _check_turtle_holds(triples: Sequence[Triple]) -> None:
    """Require that what is written as N-Triples is read alike as Turtle, which includes it."""
    text = "\n".join(ntriples.format_triple(*triple) for triple in triples)
    found, refusal = attempt(
        lambda: list(
            rdf.read_rdf(
                io.BytesIO(text.encode()),
                path="as Turtle",
                suffix=".ttl",
            )
        ),
        names="as Turtle",
    )
    long = len(text) > _LONGEST_LINE  # Turtle bounds a literal, N-Triples a line
    require(long or found is not None, f"N-Triples is no Turtle: {refusal}")
    require(found is None or renamed(found) == renamed(triples), "N-Triples differs from Turtle")


def _check_compiled(case: Case, store: TripleStore | None, *, rng: Random) -> None:
    before = set(Path().iterdir())
    built, refusal = attempt(lambda: graphs.compile([case.target], "built"), names=case.target)
    left = {path.name for path in set(Path().iterdir()) - before}
    require(left == (set() if built is None else {"built"}), f"left behind: {sorted(left)}")
    if built is None:
        require(store is None or not len(store), f"opened, but not compiled: {refusal}")
        return
    require(store is not None, "compiled, but not opened")
    assert store is not None
    require(list(built) == list(store), "compiled otherwise than opened")
    require(built.fingerprint == store.fingerprint, "fingerprints differ")
    require(content.fingerprint(built.content) == store.fingerprint, "fingerprint is not kept")
    require(list(built.entities) == list(store.entities), "entities differ")
    for entity in list(store.entities)[:MANY]:
        for ask in ("name_of", "names_of", "facts", "degree", "number", "tail_count"):
            same = getattr(built, ask)(entity) == getattr(store, ask)(entity)
            require(same, f"{ask} differs for {entity!r}")
        name = store.name_of(entity)
        require(built.candidates(name) == store.candidates(name), f"candidates differ: {name!r}")
    if rng.random() < 0.2:
        _check_two_sources(case, store)
    texts = list(sentences(store, rng=rng))
    for is_loose in (False, True):
        ours, theirs = (
            MentionIndex(each, case_fold=is_loose, nfkc=is_loose) for each in (store, built)
        )
        require(all(ours.find(text) == theirs.find(text) for text in texts), "mentions differ")


def _check_two_sources(case: Case, store: TripleStore) -> None:
    more, _ = attempt(lambda: graphs.compile(["built", case.target], "more"), names="built")
    require(more is None, "a compiled graph is no source")
    both, _ = attempt(
        lambda: graphs.compile([case.target] * 2, "both", aliases=[case.texts]), names=case.texts
    )
    require(both is None or len(both) >= len(store), "two sources hold less than one")


def _examine_compiled(case: Case, *, rng: Random) -> str:
    store, refusal = attempt(lambda: TripleStore.open(case.target), names=case.target)
    require(case.how or not refusal, f"a sound graph is refused: {refusal}")
    if store is not None:
        if case.fingerprint:
            found = content.fingerprint(store.content)
            require(found == case.fingerprint, "a damaged graph was opened")
        check_store(store, rng=rng)
    if rng.random() < 0.5:
        check_command(case, store, rng=rng)
    return "refused" if store is None else "read" if len(store) else "empty"
