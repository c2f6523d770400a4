"""Turtle, TriG, N3, RDF/XML, JSON-LD: what is read, against closed forms, peers and real files."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib.compare import isomorphic

from graphs.errors import GraphError, UnknownFormat
from graphs.rdf import Engine, read_rdf
from graphs.readers import ReadReport
from graphs.syntax.iri import resolve
from graphs.terms import is_blank, is_iri, parse_literal

REPOSITORY = Path(__file__).resolve().parents[2]
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XSD = "http://www.w3.org/2001/XMLSchema#"
HEAD = "@prefix e: <http://e/> .\n"
XML = f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:e="http://e/">%s</rdf:RDF>'
INSTALLED = find_spec("pyoxigraph") is not None
ENGINES: list[Engine] = ["own", "pyoxigraph"] if INSTALLED else ["own"]
needs_pyoxigraph = pytest.mark.skipif(not INSTALLED, reason="pyoxigraph is not installed")

Parts = tuple[str, str, str]


def read(
    text: str | bytes,
    suffix: str = ".ttl",
    *,
    engine: Engine = "auto",
    report: ReadReport | None = None,
) -> list[Parts]:
    data = text.encode() if isinstance(text, str) else text
    file = io.BytesIO(data)
    return list(read_rdf(file, path="f" + suffix, suffix=suffix, engine=engine, report=report))


def outcome(text: str, suffix: str, engine: Engine) -> list[Parts] | str:
    try:
        return read(text, suffix, engine=engine)
    except GraphError as error:
        return str(error)


def short(triples: list[Parts]) -> list[str]:
    """Write triples briefly: e:x as x, and rdf and xsd by their prefixes."""
    names = {"http://e/": "", RDF: "rdf:", XSD: "xsd:"}
    lines = []
    for triple in triples:
        line = " ".join(triple)
        for namespace, prefix in names.items():
            line = line.replace(namespace, prefix)
        lines.append(line)
    return lines


def as_rdflib(triples: list[Parts]) -> rdflib.Graph:
    def term(written: str) -> rdflib.term.Node:
        if (parts := parse_literal(written)) is not None:
            datatype = rdflib.URIRef(parts.datatype) if parts.datatype else None
            language = parts.language or None
            return rdflib.Literal(parts.text, lang=language, datatype=datatype, normalize=False)
        return rdflib.BNode(written[2:]) if is_blank(written) else rdflib.URIRef(written)

    graph = rdflib.Graph()
    for head, relation, tail in triples:
        graph.add((term(head), term(relation), term(tail)))
    return graph


TURTLE: dict[str, list[str]] = {
    "": [],
    "e:a a e:b .": ["a rdf:type b"],
    "e:a e:b e:c , e:d ; e:e e:f ;; .": ["a b c", "a b d", "a e f"],
    "e:a e:b 007, +1.50, -.5, 1.0e0, 1.E3 .": [
        'a b "007"^^<xsd:integer>',
        'a b "+1.50"^^<xsd:decimal>',
        'a b "-.5"^^<xsd:decimal>',
        'a b "1.0e0"^^<xsd:double>',
        'a b "1.E3"^^<xsd:double>',
    ],
    "e:a e:b true,false.": ['a b "true"^^<xsd:boolean>', 'a b "false"^^<xsd:boolean>'],
    "e:a e:b \"x\"@EN-gb, 'y'^^e:t, 'z'^^<xsd:string>.".replace("xsd:", XSD): [
        'a b "x"@en-gb',
        'a b "y"^^<t>',
        'a b "z"',
    ],
    'e:a e:b "x" @en , "01" ^^ e:t .': ['a b "x"@en', 'a b "01"^^<t>'],
    'e:a e:b "x"@zh-minnanlong .': ['a b "x"@zh-minnanlong'],
    'e:a e:b """a"b""c\n\\u0041\\t""", \'\'\'\'\'\' .': ['a b "a\\"b\\"\\"c\\nA\\t"', 'a b ""'],
    'e:a e:b "\\u0000" .': ['a b "\\u0000"'],
    "_:x e:b _:y . _:y e:b _:x .": ["_:b0 b _:b1", "_:b1 b _:b0"],
    "[ e:a e:b ] .": ["_:b0 a b"],
    "[] e:a [ e:b [] ] .": ["_:b0 b _:b1", "_:b2 a _:b0"],
    "e:a e:b () .": ["a b rdf:nil"],
    "e:a e:b (e:c e:d) .": [
        "_:b0 rdf:first c",
        "a b _:b0",
        "_:b1 rdf:first d",
        "_:b0 rdf:rest _:b1",
        "_:b1 rdf:rest rdf:nil",
    ],
    "e:a\\~b e:c.d e:%41: .": ["a~b c.d %41:"],
    "@base <http://e/x/y> . <> e:b <#f> , <../z> , <?q> .": [
        "x/y b x/y#f",
        "x/y b z",
        "x/y b x/y?q",
    ],
    "BASE <http://e/> PREFIX f: <f#> <a> f:x f: .": ["a f#x f#"],
    "e:a # no comment\n e:b <http://e/#c> .#": ["a b #c"],
    "e:a e:b <urn:graphs:%E4%B8%AD> .": ["a b 中"],
    "<http://e/%zz> e:b <http://e/\ue000> .": ["%zz b \ue000"],
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", TURTLE)
def test_turtle_is_read_verbatim(text: str, engine: Engine) -> None:
    expected = TURTLE[text]
    assert short(read(HEAD + text, engine=engine)) == expected
    assert short(read(HEAD + text, ".trig", engine=engine)) == expected
    assert short(read("\ufeff" + HEAD + text, ".n3", engine=engine)) == expected


WRONG = {
    "e:a e:b \n\n x:c .": (4, "x: is not declared"),
    "e:a e:b\n<rel> .": (3, "no absolute IRI"),
    "e:a e:b <http://e/a b> .": (2, "is no IRI"),
    "e:a e:b <http://e/\\u0020> .": (2, "no absolute IRI"),
    "@base <x> .": (2, "no absolute IRI"),
    'e:a e:b "\\uD800" .': (2, "no character"),
    'e:a e:b "\\a" .': (2, "is no escape"),
    'e:a e:b "x\n" .': (2, "not closed"),
    'e:a e:b """x\n\n': (2, "not closed"),
    'e:a e:b """x""""" .': (2, "is expected"),
    "e:a e:b e:c": (2, "the file ends"),
    "e:a e:b .": (2, "is expected"),
    "e:a .": (2, "a relation is expected"),
    "e:a ; e:b e:c .": (2, "a relation is expected"),
    "(1) .": (2, "a relation is expected"),
    "[] .": (2, "a relation is expected"),
    '"x" e:b e:c .': (2, "IRI or a blank node"),
    'e:a "x" e:c .': (2, "a relation is expected"),
    "e:a _:x e:c .": (2, "a relation is expected"),
    "e:a true e:c .": (2, "a relation is expected"),
    "e:a e:b e:c!e:d .": (2, "N3"),
    "e:a = e:b .": (2, "N3"),
    "{ e:a e:b e:c } => { e:a e:b e:d } .": (2, "formula of N3"),
    "e:a e:b { e:c e:d e:e } .": (2, "formula of N3"),
    "e:a e:b ?x .": (2, "N3"),
    "e:a @a e:b .": (2, "a relation is expected"),
    "<< e:a e:b e:c >> e:d e:e .": (2, "RDF 1.2"),
    "e:a e:b <<( e:a e:b e:c )>> .": (2, "RDF 1.2"),
    "e:a e:b e:c {| e:d e:e |} .": (2, "is expected"),
    'e:a e:b "x"@en--ltr .': (2, "no Turtle"),
    'e:a e:b "x"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> .': (2, "language tag"),
    "PREFIX f: <http://f/> .": (2, "is expected"),
    "@prefix f: <http://f/>\n": (3, "is expected"),
    "e:a~b e:c e:d .": (2, "no Turtle"),
    "e:a%zz e:c e:d .": (2, "no Turtle"),
    "e:a\u00a0 e:b e:c .": (2, "no Turtle"),
    "e:a e:b [ e:c e:d ) .": (2, "']' is expected"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_turtle_is_refused_with_its_line(text: str, engine: Engine) -> None:
    line, message = WRONG[text]
    found = outcome(HEAD + text, ".ttl", engine)
    assert isinstance(found, str)
    assert found.startswith(f"f.ttl:{line}: ")
    assert message in found
    assert "\n" not in found


@pytest.mark.parametrize("engine", ENGINES)
def test_named_graphs_are_merged_and_counted(engine: Engine) -> None:
    text = HEAD + (
        "e:a e:b e:c . { e:a e:b e:d } e:g { e:a e:b e:e . e:a e:b e:f . } "
        "GRAPH _:g { _:g e:b e:h } [] { [e:i e:j] } e:a e:b e:k ."
    )
    report = ReadReport()
    assert short(read(text, ".trig", engine=engine, report=report)) == [
        "a b c", "a b d", "a b e", "a b f", "_:b0 b h", "_:b1 i j", "a b k",
    ]  # fmt: skip
    assert report.merged == 4


def test_reference_resolution_is_that_of_rfc_3986() -> None:
    """The examples of its sections 5.4.1 and 5.4.2, strictly read."""
    base = "http://a/b/c/d;p?q"
    for reference, expected in {
        "g:h": "g:h", "g": "http://a/b/c/g", "./g": "http://a/b/c/g", "g/": "http://a/b/c/g/",
        "/g": "http://a/g", "//g": "http://g", "?y": "http://a/b/c/d;p?y",
        "g?y": "http://a/b/c/g?y", "#s": "http://a/b/c/d;p?q#s", "g#s": "http://a/b/c/g#s",
        "g?y#s": "http://a/b/c/g?y#s", ";x": "http://a/b/c/;x", "g;x": "http://a/b/c/g;x",
        "g;x?y#s": "http://a/b/c/g;x?y#s", "": "http://a/b/c/d;p?q", ".": "http://a/b/c/",
        "./": "http://a/b/c/", "..": "http://a/b/", "../": "http://a/b/", "../g": "http://a/b/g",
        "../..": "http://a/", "../../": "http://a/", "../../g": "http://a/g",
        "../../../g": "http://a/g", "../../../../g": "http://a/g", "/./g": "http://a/g",
        "/../g": "http://a/g", "g.": "http://a/b/c/g.", ".g": "http://a/b/c/.g",
        "g..": "http://a/b/c/g..", "..g": "http://a/b/c/..g", "./../g": "http://a/b/g",
        "./g/.": "http://a/b/c/g/", "g/./h": "http://a/b/c/g/h", "g/../h": "http://a/b/c/h",
        "g;x=1/./y": "http://a/b/c/g;x=1/y", "g;x=1/../y": "http://a/b/c/y",
        "g?y/./x": "http://a/b/c/g?y/./x", "g#s/../x": "http://a/b/c/g#s/../x", "http:g": "http:g",
    }.items():  # fmt: skip
        assert resolve(base, reference) == expected, reference
    assert resolve("http://a", "b") == "http://a/b"
    with pytest.raises(ValueError, match="no IRI"):
        resolve(base, "1:y")


TAILS = ["e:x", "_:y", '"s"', '"t"@en', "7", "-1.5", "true", "'u'^^e:d", "<http://e/z>", "[]", "()"]


def _nested(tails: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    brackets = _properties(tails).map("[{}]".format)
    lists = st.lists(tails, max_size=3).map(" ".join).map("({})".format)
    return brackets | lists


def _properties(tails: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.lists(tails, min_size=1, max_size=3).map(" , ".join)
    pairs = st.tuples(st.sampled_from(["e:p", "a", "<http://e/q>"]), one).map(" ".join)
    ends = st.sampled_from(["", " ;", " ;; "])
    return st.tuples(st.lists(pairs, min_size=1, max_size=2).map(" ; ".join), ends).map("".join)


def _documents() -> st.SearchStrategy[list[str]]:
    tails = st.recursive(st.sampled_from(TAILS), _nested, max_leaves=6)
    heads = st.sampled_from(["e:a", "_:y", "[]"]) | _nested(tails).filter(lambda head: head != "[]")
    return st.lists(st.tuples(heads, _properties(tails)).map(" ".join), min_size=1, max_size=4)


@given(statements=_documents(), graphs=st.lists(st.sampled_from(["", "{", "e:g {", "[] {"])))
def test_own_reader_pyoxigraph_and_rdflib_agree(statements: list[str], graphs: list[str]) -> None:
    """The own reader and pyoxigraph to the order and the blank nodes; rdflib up to blank nodes."""
    text = HEAD + "".join(f"{statement} .\n" for statement in statements)
    own = read(text, engine="own")
    assert isomorphic(as_rdflib(own), rdflib.Graph().parse(data=text, format="turtle"))
    if INSTALLED:
        assert read(text, engine="pyoxigraph") == own
        pairs = zip(statements, graphs + [""] * len(statements), strict=False)
        trig = HEAD + "".join(f"{g} {s} {'}' if g else '.'}\n" for s, g in pairs)
        reports = ReadReport(), ReadReport()
        first, second = (
            read(trig, ".trig", engine=engine, report=report)
            for engine, report in zip(ENGINES, reports, strict=True)
        )
        assert first == second
        assert reports[0] == reports[1]


PIECES = [
    "e:a ", "e:b ", " . ", " ; ", " , ", "[", "]", "(", ")", "{", "}", '"x"', "'", '"""', "@en",
    "^^", "<http://e/z>", "<rel>", "<", ">", "_:x ", "1", ".", "-", "true ", "a ", "=",
    "@base <http://h/i> .", "PREFIX e: <http://f/> ", "#", "\n", "\\", "\\u0041", "%41", "é",
    "GRAPH ", "<<", "{|",
]  # fmt: skip


@needs_pyoxigraph
@settings(max_examples=400)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=12), suffix=st.sampled_from([".ttl", ".trig"])
)
def test_engines_accept_and_refuse_the_same(pieces: list[str], suffix: str) -> None:
    text = HEAD + "e:a e:b e:c . " + "".join(pieces)
    assert outcome(text, suffix, "pyoxigraph") == outcome(text, suffix, "own")


def test_without_pyoxigraph_the_own_reader_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.syntax.oxigraph.is_installed", lambda: False)
    assert read(HEAD + "e:a e:b e:c .") == [("http://e/a", "http://e/b", "http://e/c")]
    with pytest.raises(GraphError, match="pip install pyoxigraph"):
        read(HEAD, engine="pyoxigraph")


def test_unknown_suffix_and_engine_are_refused() -> None:
    with pytest.raises(UnknownFormat, match=r"known are \.ttl"):
        read("", ".html")
    with pytest.raises(GraphError, match="must be 'auto'"):
        read("", engine="rdflib")  # type: ignore[arg-type]


def test_rdf_xml_is_read_verbatim() -> None:
    text = XML % (
        '<e:T rdf:about="http://e/a" e:p="v">'
        f'<e:n rdf:datatype="{XSD}integer">007</e:n>'
        '<e:l xml:lang="EN">x</e:l><e:s></e:s>'
        '<e:m rdf:parseType="Literal">a <e:b>c &amp; d</e:b></e:m>'
        '<e:r rdf:resource="rel" xml:base="http://e/x/y"/>'
        '<e:c rdf:parseType="Collection"><e:U rdf:about="http://e/1"/></e:c>'
        '<e:q rdf:parseType="Resource"><e:p>1</e:p></e:q></e:T>'
    )
    assert short(read(text, ".rdf")) == [
        "a rdf:type T",
        'a p "v"',
        'a n "007"^^<xsd:integer>',
        'a l "x"@en',
        'a s ""',
        'a m "a <e:b xmlns:e=\\"\\">c &amp; d</e:b>"^^<rdf:XMLLiteral>',
        "a r x/rel",
        "1 rdf:type U",
        "_:b0 rdf:first 1",
        "_:b0 rdf:rest rdf:nil",
        "a c _:b0",
        '_:b1 p "1"',
        "a q _:b1",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_rdf_xml_is_read_in_its_encoding(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?>' + XML % '<e:T rdf:about="http://e/é"/>'
    assert short(read(text.encode(encoding), ".owl")) == ["é rdf:type T"]


def test_json_ld_is_read_verbatim() -> None:
    data = {
        "@context": {"@vocab": "http://e/", "@base": "http://e/x/"},
        "@id": "../a",
        "n": [1, 1.5, 5.0, 1e30, True, {"@value": "01", "@type": XSD + "integer"}],
        "t": {"@value": "é", "@language": "EN"},
        "l": {"@list": ["x"]},
        "b": {"m": {"@id": "y"}},
    }
    assert short(read(json.dumps(data), ".jsonld")) == [
        'a n "1"^^<xsd:integer>',
        'a n "1.5E0"^^<xsd:double>',
        'a n "5"^^<xsd:integer>',
        'a n "1.0E30"^^<xsd:double>',
        'a n "true"^^<xsd:boolean>',
        'a n "01"^^<xsd:integer>',
        'a t "é"@en',
        '_:b0 rdf:first "x"',
        "_:b0 rdf:rest rdf:nil",
        "a l _:b0",
        "_:b1 m x/y",
        "a b _:b1",
    ]


def test_json_ld_counts_named_graphs_and_says_when_it_holds_nothing() -> None:
    report = ReadReport()
    graph = {"@id": "http://e/g", "@graph": [{"@id": "http://e/a", "http://e/b": "c"}]}
    assert short(read(json.dumps(graph), ".jsonld", report=report)) == ['a b "c"']
    assert report.merged == 1
    assert report.notes == []
    assert read('{"name": "x"}', ".jsonld", report=report) == []
    assert report.notes == [
        "f.jsonld: no triples; keys that its @context gives no IRI hold nothing"
    ]


def test_rdflib_is_left_as_it_was_and_says_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = rdflib.NORMALIZE_LITERALS
    bad = XML % f'<e:T rdf:about="http://e/a"><e:p rdf:datatype="{XSD}integer">x</e:p></e:T>'
    assert short(read(bad, ".rdf"))[1] == 'a p "x"^^<xsd:integer>'
    typed = {"http://e/p": {"@value": "x", "@type": XSD + "integer"}}
    assert short(read(json.dumps(typed), ".jsonld")) == ['_:b0 p "x"^^<xsd:integer>']
    with pytest.raises(GraphError):
        read(XML % '<e:T rdf:about="http://e/a b"/>', ".rdf")
    assert rdflib.NORMALIZE_LITERALS is before
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
    rdflib.URIRef("http://e/a b")
    assert len(caplog.records) == 1


ALL = """
import sys
from graphs.rdf import read_rdf
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        print(list(read_rdf(file, path=path, suffix=path[path.rindex("."):])))
"""


def test_order_and_blank_nodes_are_the_same_in_every_process(tmp_path: Path) -> None:
    documents = {
        "a.ttl": HEAD + "_:z e:b [ e:c _:y ] , (1 [] 2) .",
        "a.rdf": XML % '<e:T><e:p><e:U/></e:p><e:q rdf:nodeID="n"/></e:T>',
        "a.jsonld": '[{"http://e/p": {"http://e/q": {}}}, {"@id": "_:n", "http://e/p": "x"}]',
    }
    for name, text in documents.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", ALL, *(str(tmp_path / name) for name in documents)]
    found = {
        subprocess.run(
            command, cwd=REPOSITORY, check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert b"_:b0" in found.pop()


def test_importing_the_module_does_not_import_rdflib() -> None:
    code = "import sys, graphs.rdf; sys.exit(bool({'rdflib', 'pyoxigraph'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


@pytest.fixture(scope="module")
def load(data_dir: Path) -> Callable[[str], list[Parts]]:
    def load(name: str) -> list[Parts]:
        path = data_dir / "rdf" / name
        with path.open("rb") as file:
            return list(read_rdf(file, path=path, suffix=path.suffix))

    return load


@pytest.mark.data
def test_schema_org_is_the_same_in_every_format(
    load: Callable[[str], list[Parts]], data_dir: Path
) -> None:
    from graphs.syntax.ntriples import parse_line

    name = "schemaorg-30.0/schemaorg-current-https"
    lines = (data_dir / "rdf" / f"{name}.nt").read_text(encoding="utf-8").splitlines()
    expected = {triple for line in lines if (triple := parse_line(line)) is not None}
    assert len(expected) == 17_949
    for suffix in (".ttl", ".rdf", ".jsonld"):
        assert set(load(name + suffix)) == expected, suffix


@pytest.mark.data
def test_the_dbpedia_ontology_is_the_same_in_both_formats(
    load: Callable[[str], list[Parts]],
) -> None:
    turtle, xml = (set(load(f"dbpedia-ontology/dbo-snapshots{s}")) for s in (".ttl", ".owl"))
    assert len(turtle) == 34_680
    assert turtle == xml


@pytest.mark.data
def test_every_file_loads_alike_by_every_engine(data_dir: Path) -> None:
    paths = sorted(p for p in data_dir.glob("rdf/*/*") if p.suffix in (".ttl", ".n3"))
    assert len(paths) > 80
    for path in paths:
        text = path.read_text(encoding="utf-8")
        triples = read(text, path.suffix, engine="own")
        assert all(is_iri(relation) for _, relation, _ in triples), path
        assert triples
        if INSTALLED:
            assert read(text, path.suffix) == triples, path
        if path.stat().st_size < 30_000:
            peer = rdflib.Graph().parse(data=text, format="turtle")
            assert len(peer) == len(set(triples)), path
