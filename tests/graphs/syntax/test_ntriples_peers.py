"""Lines of N-Triples and N-Quads, read beside pyoxigraph and rdflib."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphs.syntax.ntriples import format_triple, parse_line, parse_lines, parse_quad
from graphs.terms import from_rdf, literal
from tests.graphs.syntax.ntriples_cases import TAILS, line_of, quad_lines, triple_lines

MUTANTS = ["", *"<>\"\\.:_-@^# \t'u0aé·{,;", "\0", "\x85", "_:", "^^", "@en", r"\u", r"\u0020", "."]


@settings(max_examples=300)
@given(st.data())
def test_a_peer_accepts_and_gives_the_same(data: st.DataObject) -> None:
    line = data.draw(triple_lines | quad_lines)
    line = data.draw(st.just(line) | mutations(line))
    assume(not re.search(r"<<\(|--|\\u[dD][89a-fA-F]", line))  # RDF 1.2; pairs of surrogates
    for parse, kind in ((parse_line, "N_TRIPLES"), (parse_quad, "N_QUADS")):
        ours: Any
        try:
            found = parse(line)
            ours = [found] if found else []
        except ValueError as error:
            ours = str(error)
        theirs = of_peer(line, kind)
        if isinstance(theirs, str) and not isinstance(ours, str):
            # It checks IRIs by RFC 3987 and tags by RFC 5646; the grammar of the format does not.
            assert "scheme" not in theirs
            theirs = of_peer(line, kind, lenient=True)
        assert isinstance(ours, str) == isinstance(theirs, str), (ours, theirs)
        if not isinstance(ours, str):
            assert ours == [quad[: len(ours[0])] for quad in theirs]


@st.composite
def mutations(draw: Any, line: str) -> str:
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        until = at + draw(st.integers(0, 2))
        line = line[:at] + draw(st.sampled_from(MUTANTS)) + line[until:]
    return line


def of_peer(line: str, kind: str, *, lenient: bool = False) -> list[tuple[str, ...]] | str:
    peer = pytest.importorskip("pyoxigraph")
    try:
        quads = list(peer.parse(line, format=getattr(peer.RdfFormat, kind), lenient=lenient))
    except SyntaxError as error:
        return str(error)
    return [tuple(map(term_of_peer, quad)) for quad in quads]


def term_of_peer(term: Any) -> str:
    kind = type(term).__name__
    if kind == "DefaultGraph":
        return ""
    if kind == "BlankNode":
        return f"_:{term.value}"
    if kind == "NamedNode":
        return from_rdf(term.value)
    if term.language:
        return literal(term.value, language=term.language)
    return literal(term.value, datatype=term.datatype.value)


def test_rdflib_reads_the_same() -> None:
    from rdflib.plugins.parsers.ntriples import W3CNTriplesParser

    found = []

    class Sink:
        def triple(self, *terms: Any) -> None:
            found.append(terms[2])

    expected = [
        (line_of(tail), term)
        for tail, term in TAILS
        # What it does not read: spaces within literals; labels that it renames; our own scheme.
        if not re.search(r'" \^\^|"\t@|^_:|<urn:graphs', tail)
    ]
    lines = "".join(f"{line}\n" for line, _ in expected)
    W3CNTriplesParser(sink=Sink()).parse(io.BytesIO(lines.encode()))
    assert len(found) == len(expected) > 20
    for term, (_, ours) in zip(found, expected, strict=True):
        if hasattr(term, "datatype"):
            tag, kind = term.language or "", str(term.datatype or "")
            assert literal(str(term), language=tag, datatype=kind) == ours
        else:
            assert str(term) == ours


@pytest.mark.data
def test_schema_org_has_its_triples(data_dir: Path) -> None:
    path = data_dir / "rdf" / "schemaorg-30.0" / "schemaorg-current-https.nt"
    triples = parse_lines(path.read_bytes().decode())
    assert len(set(triples)) == 17_949
    peer = pytest.importorskip("pyoxigraph")
    theirs = peer.parse(path=str(path), format=peer.RdfFormat.N_TRIPLES)
    assert triples == [tuple(map(term_of_peer, quad))[:3] for quad in theirs]
    assert parse_lines("\r".join(format_triple(*triple) for triple in triples)) == triples
