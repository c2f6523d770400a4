"""Files made to hurt: each ends soon, in one line that says what to do, and reaches no network."""

import io
import json
import socket
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphs.errors import GraphError
from graphs.rdf import SUFFIXES, Engine, read_rdf
from graphs.syntax import guard, turtle_terms

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
HEAD = b"@prefix e: <http://e/> .\n"
OPEN = f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:e="http://e/"><e:T><e:p>'.encode()
CLOSE = b"</e:p></e:T></rdf:RDF>"
MARKUP = OPEN[:-5] + b'<e:p rdf:parseType="Literal">'
MIB = 1 << 20
BOMB = b"".join(
    [
        b'<!DOCTYPE a [<!ENTITY x0 "x">',
        *(b'<!ENTITY x%d "%s">' % (i, b"&x%d;" % (i - 1) * 10) for i in range(1, 10)),
        b"]><a>&x9;</a>",
    ]
)

watched: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if watching and event.startswith(("socket.", "urllib.", "subprocess.", "os.system")):
        watched.append(event)
    if watching and event == "open" and "secret" in str(arguments[0]):
        watched.append(event)


watching: list[bool] = []
sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test here may reach a network, or open a file that a document names."""

    def refuse(*_: object) -> None:
        raise AssertionError("a document reached the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    watched.clear()
    watching.append(True)
    yield
    watching.clear()
    assert watched == []


def refusal(data: bytes, suffix: str, engine: Engine = "auto") -> str:
    """Return the one line with which `data` is refused; fail where it is read."""
    with pytest.raises(GraphError) as found:
        for _ in read_rdf(io.BytesIO(data), path="f" + suffix, suffix=suffix, engine=engine):
            pass
    message = str(found.value)
    assert message.startswith("f" + suffix)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a SYSTEM "file:///secret"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///secret">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><a/>',
        '<!DOCTYPE a PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://127.0.0.1:9/x.dtd"><a/>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_doctype_is_refused_in_every_encoding(text: str, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>\n'
    assert ":2: DOCTYPE" in refusal((declaration + text).encode(encoding), ".rdf")


def test_a_bomb_of_entities_is_refused_at_once() -> None:
    start = time.process_time()
    assert ":1: DOCTYPE" in refusal(BOMB, ".owl")
    assert time.process_time() - start < 1
    assert "undefined entity" in refusal(OPEN + b"&x9;" + CLOSE, ".rdf")


@pytest.mark.parametrize(
    "data",
    [
        {"@context": "http://127.0.0.1:9/c"},
        {"@context": "file:///secret"},
        {"@context": ["secret.jsonld", {"a": "http://a/"}]},
        {"@context": {"@import": "http://127.0.0.1:9/c"}},
        {"@context": {"@context": "http://127.0.0.1:9/c"}},
        {"@context": {"t": {"@id": "http://e/t", "@context": "http://127.0.0.1:9/c"}}},
        [{"http://e/p": {"@list": [{"@context": [[], "http://127.0.0.1:9/c"]}]}}],
        {"@graph": [{"@context": {"t": {"@id": "http://e/t", "@context": {"@import": "secret"}}}}]},
        {"@context": [[["http://127.0.0.1:9/c"]]]},
    ],
)
def test_a_context_elsewhere_is_refused_with_its_line(data: object) -> None:
    message = refusal(json.dumps(data, indent=1).encode(), ".jsonld")
    assert "embed it" in message
    line = int(message.split(":")[1])
    assert any(word in json.dumps(data, indent=1).splitlines()[line - 1] for word in ("9/c", "sec"))


def test_rdflib_is_kept_from_fetching_where_the_check_would_miss_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("graphs.syntax.guard._faults", lambda _: ())
    assert "nothing is fetched" in refusal(b'{"@context": "http://127.0.0.1:9/c"}', ".jsonld")
    assert "nothing is fetched" in refusal(b'{"@context": {"@import": "/secret"}}', ".jsonld")


@pytest.mark.parametrize(
    "context",
    [
        {"e": "", "knows": {"@id": "e:knows"}},
        {"a": "b", "b": "a"},
        {"a": "b:x", "b": "a:y"},
        {"a": {"@id": "http://e/a", "@type": "b"}, "b": "c", "c": "b"},
    ],
)
def test_terms_without_end_are_refused_alike_at_any_depth(context: object) -> None:
    data = json.dumps({"@context": context, "a": 1}).encode()

    def message(depth: int) -> str:
        return message(depth - 1) if depth else refusal(data, ".jsonld")

    (said,) = {message(depth) for depth in range(40)}
    assert "defined by one another" in said and said.startswith("f.jsonld: ")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_text_is_refused_with_its_line(suffix: str) -> None:
    start = {".jsonld": b'{\n"a": "'}.get(suffix, HEAD + b'e:a e:b "')
    if suffix in (".rdf", ".owl", ".xml"):
        start = OPEN.replace(b" xmlns:e", b"\nxmlns:e")
    assert refusal(start + b"\xff\xfe", suffix).startswith(f"f{suffix}:2: ")
    assert refusal(start + b"x\0y", suffix).startswith(f"f{suffix}:2: ")


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".ttl", HEAD + b"e:a e:b " + b"[ e:b " * 100_000),
        (".ttl", HEAD + b"e:a e:b " + b"(" * 100_000),
        (".ttl", HEAD + b"<<" * 100_000),
        (".ttl", HEAD + b"e:a e:b e:c " + b"{| e:b e:c " * 100_000),
        (".trig", HEAD + b"{" * 100_000),
        (".rdf", OPEN + b"<e:T><e:p>" * 100_000),
        (".jsonld", b"[" * 100_000),
        (".jsonld", b'{"http://e/p":' * 100_000),
    ],
    ids=str,
)
def test_depth_is_refused_without_recursion(suffix: str, data: bytes) -> None:
    start = time.process_time()
    refusal(data, suffix)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("engine", ["own", "auto"])
def test_brackets_up_to_the_limit_are_read(engine: Engine) -> None:
    def nested(depth: int) -> bytes:
        return HEAD + b"e:a e:b " + b"[ e:b " * depth + b"'([<{'" + b"]" * depth + b" ."

    most = turtle_terms.MAX_DEPTH
    file = io.BytesIO(nested(most))
    assert len(list(read_rdf(file, path="f", suffix=".ttl", engine=engine))) == most + 1
    assert ":2: brackets more than 128 deep" in refusal(nested(most + 1), ".ttl", engine)


HUGE = {
    "a literal": (".ttl", HEAD + b'e:a e:b "%b" .', b"x"),
    "escapes": (".ttl", HEAD + b'e:a e:b "%b" .', b"\\n"),
    "an open literal": (".ttl", HEAD + b"e:a e:b '''%b", b"'' \\n"),
    "quotes": (".ttl", HEAD + b"e:a e:b %b", b'"'),
    "angles": (".ttl", b"%b", b"<"),
    "dots": (".ttl", HEAD + b"e:a%b", b"."),
    "an IRI": (".ttl", b"<http://e/%b", b"x"),
    "text": (".rdf", OPEN + b"%b" + CLOSE, b"x\n"),
    "an attribute": (".rdf", b"<a b='%b'/>", b"x"),
    "a comment": (".rdf", b"<!--%b--><a/>", b"x"),
    "markup": (".rdf", MARKUP + b"%b" + CLOSE, b"<b/>\n"),
    "a string": (".jsonld", b'{"http://e/p":"%b"}', b"x"),
    "backslashes": (".jsonld", b'"%b', b"\\"),
    "a number": (".jsonld", b'{"http://e/p":%b}', b"9"),
}


@pytest.mark.parametrize("name", HUGE)
def test_twenty_megabytes_without_a_break_are_refused_soon(name: str) -> None:
    suffix, frame, filling = HUGE[name]
    data = frame.replace(b"%b", filling * (20 * MIB // len(filling)))
    start = time.process_time()
    refusal(data, suffix)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("name", ["text", "an attribute", "a comment", "markup"])
def test_xml_is_refused_before_it_is_in_memory(name: str) -> None:
    suffix, frame, filling = HUGE[name]
    data = frame.replace(b"%b", filling * (20 * MIB // len(filling)))
    refusal(b"<", suffix)
    tracemalloc.start()
    refusal(data, suffix)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * MIB


def test_what_fits_is_read_in_linear_time() -> None:
    """Text of a million lines in one literal took rdflib a time that grows with its square."""
    text = b"x\n" * (turtle_terms.MAX_LITERAL // 2)
    start = time.process_time()
    triples = list(read_rdf(io.BytesIO(OPEN + text + CLOSE), path="f", suffix=".rdf"))
    assert len(triples[1][2]) > 2 * turtle_terms.MAX_LITERAL * 3 // 4
    assert time.process_time() - start < 3


def test_a_file_over_the_limit_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.rdf.MAX_TURTLE", MIB)
    monkeypatch.setattr("graphs.rdf.MAX_JSON", MIB)
    for suffix in (".ttl", ".trig", ".n3", ".jsonld"):
        message = refusal(b" " * (MIB + 1), suffix)
        assert "larger than 1 MiB" in message
        assert "N-Triples" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ('{"a": 1,\n}', ":2: not JSON"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ('"x"', "not JSON-LD"),
        ('{"@context": 5}', "not JSON-LD"),
        ('{"@reverse": 5}', "not JSON-LD"),
        ('{"@id": "x", "http://e/p": 1}', "<x> is no absolute IRI"),
        ('{\n"@id": "http://e/a b"}', ":2: @id is"),
        ('{\n"@id": 5}', ":2: @id is 5"),
        ('{"http://e/p": {"@value": "x",\n"@language": "e n"}}', ":2: 'e n' is no language tag"),
        ('{"http://e/p": "\\ud800"}', "lone surrogate"),
    ],
)
def test_json_ld_that_is_none_is_refused(text: str, message: str) -> None:
    assert message in refusal(text.encode(), ".jsonld")


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ("", "not XML"),
        ("<e:T>", ":2: not XML"),
        ('<e:T rdf:about="rel"/>', "give xml:base"),
        ('<e:T rdf:about="http://e/a b"/>', "no absolute IRI"),
        ('<e:T rdf:ID="x y"/>', "NCName"),
        ("<rdf:li/>", "Invalid node element"),
        ("<e:T><e:p><e:T/><e:T/></e:p></e:T>", "Repeat node-elements"),
        ("<e:T><e:p>x<e:T/></e:p></e:T>", "'x' stands beside an element"),
        ("<e:T>x<e:p>y</e:p></e:T>", "'x' belongs to no relation"),
        ('<e:T><e:p xml:lang="e n">y</e:p></e:T>', "no language tag"),
    ],
)
def test_rdf_xml_that_is_none_is_refused(inner: str, message: str) -> None:
    frame = f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:e="http://e/">\n%s</rdf:RDF>'
    assert message in refusal((frame % inner if inner else "").encode(), ".rdf")


@pytest.mark.parametrize("encoding", ["rot13", "utf-7", "gb18030", "klingon"])
def test_an_encoding_that_cannot_be_read_is_refused(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode()
    assert refusal(document, ".rdf").startswith("f.rdf:1: ")


def test_nothing_of_this_machine_gets_into_a_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative IRI is refused, or resolved against what the document itself says."""
    monkeypatch.chdir(tmp_path)
    assert ":1: " in refusal(b"<> <b> <c> .", ".ttl")
    assert "no absolute IRI" in refusal(b'{"@id": "", "http://e/p": 1}', ".jsonld")
    assert "no absolute IRI" in refusal(b'{"http://e/p": {"@id": "#x"}}', ".jsonld")
    about = OPEN.replace(b"<e:T>", b'<e:T rdf:about="">')
    assert "no absolute IRI" in refusal(about + CLOSE, ".rdf")


FRAGMENTS = [
    b"<", b">", b'"', b"'''", b"[", b"]", b"(", b")", b"{", b"}", b":", b",", b".", b"#", b"\\",
    b"@", b"\xff", b"\0", b"\xef\xbb\xbf", b"\r\n", b"\xe2\x80\xa8", b"\\uD800", b"<!DOCTYPE a>",
    b"&lt;", b"<!--", b"-->", b"<![CDATA[", b"@prefix e: <http://e/> .", b"e:a ", b'"@id"',
    b'"@context"', b'"@type"', b'"@list"', b'"@value"', b'"@graph"', b'"@reverse"',
    b'"@container"', b'"http://e/p"',
    b"null", b"1e5", b"<e:T xmlns:e='http://e/' rdf:parseType='Literal'>", b"</e:T>", OPEN, CLOSE,
]  # fmt: skip


@settings(max_examples=300)
@example(data=b"", suffix=".rdf")
@given(
    data=st.lists(st.sampled_from(FRAGMENTS), max_size=10).map(b"".join) | st.binary(max_size=40),
    suffix=st.sampled_from(SUFFIXES),
)
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes, suffix: str) -> None:
    try:
        for triple in read_rdf(io.BytesIO(data), path="f", suffix=suffix):
            assert all("\n" not in part and "\t" not in part for part in triple)
    except GraphError as error:
        assert "\n" not in str(error)


KEYS = [
    "@context", "@id", "@type", "@value", "@list", "@set", "@graph", "@language", "@reverse",
    "@index", "@container", "@base", "@vocab", "@included", "@nest", "@json", "@version",
    "@propagate", "http://e/p", "a", "a:b",
]  # fmt: skip
JSON = st.recursive(
    st.sampled_from([None, True, 1, 1.5, "x", "_:b", "http://e/a", "@id", "@list", "", "a:b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(data=JSON)
def test_any_json_is_read_or_refused_in_one_line(data: object) -> None:
    try:
        list(read_rdf(io.BytesIO(json.dumps(data).encode()), path="f", suffix=".jsonld"))
    except GraphError as error:
        assert "\n" not in str(error)


def test_the_limits_are_what_the_documents_say() -> None:
    assert (turtle_terms.MAX_DEPTH, turtle_terms.MAX_LITERAL) == (128, MIB)
    assert (guard.MAX_TURTLE, guard.MAX_JSON) == (256 * MIB, 64 * MIB)
