from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.terms import (
    Literal,
    from_rdf,
    is_blank,
    is_iri,
    literal,
    parse_literal,
    readable,
    to_rdf,
    unescape_iri,
)

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XSD = "http://www.w3.org/2001/XMLSchema#"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    "\0\t\n\r\b\f\"\\'abuU0041\x1f\x7f\x85\u2028", max_size=12
)
languages = st.sampled_from(["", "en", "zh-hant", "EN-gb", "de-1996"])
datatypes = st.sampled_from([XSD + "integer", "urn:x:a", "http://例/类型"])
parts = st.text('urn:graphs%3Aab/ #_"@^<>\\é北\t', max_size=16) | st.text(max_size=8)
kept = parts.filter(lambda text: text and not text.isspace()).filter(
    lambda text: not re.search("[\0\ud800-\udfff]", text)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '""'),
        ("北京", '"北京"'),
        ("it's", '"it\'s"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("\t\b\n\r\f", r'"\t\b\n\r\f"'),
        ("\0\x07\x0b\x1f\x7f", r'"\u0000\u0007\u000B\u001F\u007F"'),
        ("\x80\u2028\ufffe\U0010ffff", '"\x80\u2028\ufffe\U0010ffff"'),
    ],
)
def test_literals_are_written_in_one_way(text: str, expected: str) -> None:
    assert literal(text) == expected
    assert parse_literal(expected) == Literal(text)


def test_tags_and_datatypes_are_written_in_one_way() -> None:
    assert literal("x", language="EN-gb") == '"x"@en-gb'
    assert literal("x", datatype=XSD + "string") == '"x"'
    assert literal("4", datatype=XSD + "byte") == f'"4"^^<{XSD}byte>'


@pytest.mark.parametrize(
    ("language", "datatype", "message"),
    [
        ("e n", "", "no language tag"),
        ("1", "", "no language tag"),
        ("en-", "", "no language tag"),
        ("en", "urn:x:a", "not both"),
        ("", "byte", "no absolute IRI"),
        ("", "urn:x:a>", "no absolute IRI"),
        ("", RDF + "langString", "needs a language"),
    ],
)
def test_parts_that_make_no_literal_are_refused(language: str, datatype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        literal("x", language=language, datatype=datatype)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lone surrogate U\+D800"):
        literal("a\ud800")


@given(text=texts, language=languages, datatype=datatypes, tagged=st.booleans())
def test_a_literal_gives_back_its_parts(
    text: str, language: str, datatype: str, tagged: bool
) -> None:
    tag, kind = (language, "") if tagged else ("", datatype)
    term = literal(text, language=tag, datatype=kind)
    assert parse_literal(term) == Literal(text, tag.lower(), kind)
    assert not set(term) & set("\0\t\n\r")


@given(texts)
def test_literals_agree_with_a_peer(text: str) -> None:
    peer = pytest.importorskip("pyoxigraph")
    # U+FFFE and U+FFFF are escaped by RDF 1.2 alone.
    text = text.translate({0xFFFE: None, 0xFFFF: None})
    assert literal(text) == str(peer.Literal(text))
    assert literal(text, language="en-GB") == str(peer.Literal(text, language="en-GB"))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (r'"\u0041\U0001F600\'"', Literal("A😀'")),
        ('"a\tb"', Literal("a\tb")),
        ('"x"@EN', Literal("x", "en")),
        (f'"x"^^<{XSD}string>', Literal("x")),
        (r'"x"^^<urn:x:\u0041>', Literal("x", "", "urn:x:A")),
    ],
)
def test_literals_in_other_forms_are_understood(term: str, expected: Literal) -> None:
    assert parse_literal(term) == expected


@pytest.mark.parametrize(
    "term",
    [
        *["", "x", '"', '"x', 'x"', '"x" ', ' "x"', '"x""', '"a"b"', '"a\nb"', '"a\rb"', "'x'"],
        *[r'"\z"', r'"\u12"', r'"\uD800"', r'"\U00110000"', r'"x\"', '"x"@', '"x"@1', '"x"@en-'],
        *['"x"^^', '"x"^^<>', '"x"^^<dt>', '"x"^^<a:b', '"x"^^a:b', '"x"^^<a: b>', '"x" @en'],
        *[
            r'"x"^^<a:\u0020>',
            r'"x"^^<a:\n>',
            r'"x"^^<a:\'>',
            f'"x"^^<{RDF}langString>',
            '"x"@en\n',
        ],
    ],
)
def test_what_is_not_exactly_one_literal_is_none(term: str) -> None:
    assert parse_literal(term) is None


@pytest.mark.parametrize("iri", ["http://a", "a:", "urn:isbn:1", "h+.-1:x", "http://例/[%zz]#é"])
def test_absolute_iris(iri: str) -> None:
    assert is_iri(iri)
    assert unescape_iri(iri) == iri


@pytest.mark.parametrize(
    "text",
    ["", "a", "/a", "#a", ":a", "1a:b", "é:b", "a b:c", "a:b c", "a:\n", "a:\0", "_:a", "a:\ud800"]
    + [f"a:{char}" for char in '<>"{}|^`\\\x1f'],
)
def test_no_absolute_iris(text: str) -> None:
    assert not is_iri(text)
    with pytest.raises(ValueError, match="IRI"):
        unescape_iri(text)


def test_escapes_within_iris() -> None:
    assert unescape_iri(r"\u0061:\U0001F600") == "a:😀"
    for text in (
        r"a:\u0020",
        r"a:\u003E",
        r"a:\'",
        r"a:\n",
        r"a:\\",
        "a:\\",
        r"a:\u12",
        r"a:\uD800",
    ):
        with pytest.raises(ValueError, match=r"^[^\n]+; "):
            unescape_iri(text)


# PN_CHARS_BASE and the rest, from the grammar, as pairs of code points.
_BASE = [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2FF), (0x370, 0x37D)]
_BASE += [(0x37F, 0x1FFF), (0x200C, 0x200D), (0x2070, 0x218F), (0x2C00, 0x2FEF)]
_BASE += [(0x3001, 0xD7FF), (0xF900, 0xFDCF), (0xFDF0, 0xFFFD), (0x10000, 0xEFFFF)]
_FIRST = [*_BASE, (0x5F, 0x5F), (0x30, 0x39)]
_LATER = [*_FIRST, (0x2D, 0x2D), (0xB7, 0xB7), (0x300, 0x36F), (0x203F, 0x2040)]


def test_labels_have_the_characters_of_the_grammar() -> None:
    edges = {code + step for pair in _LATER for code in pair for step in (-1, 0, 1)}
    for code in edges - {0x2E}:
        char = chr(code)
        assert is_blank(f"_:{char}") == any(low <= code <= high for low, high in _FIRST)
        assert is_blank(f"_:a{char}") == any(low <= code <= high for low, high in _LATER)


@pytest.mark.parametrize(
    ("term", "blank"),
    [
        ("_:a.b", True),
        ("_:a..b", True),
        ("_:1", True),
        ("_:a.", False),
        ("_:.a", False),
        ("_:", False),
        ("_:a:b", False),
        ("a", False),
        ("_:a b", False),
        ("_:a\n", False),
    ],
)
def test_dots_are_within_labels(term: str, blank: bool) -> None:
    assert is_blank(term) is blank


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("http://schema.org/birthPlace", "birth place"),
        ("http://schema.org/Person", "Person"),
        ("http://schema.org/CreativeWork", "CreativeWork"),
        ("http://dbpedia.org/resource/YouTube", "YouTube"),
        ("http://dbpedia.org/resource/iPhone", "iPhone"),
        ("http://www.wikidata.org/entity/Q42", "Q42"),
        ("http://www.w3.org/2000/01/rdf-schema#seeAlso", "see also"),
        ("http://x/hasISBNNumber", "has ISBN number"),
        ("http://x/isA", "is a"),
        ("http://x/part_of", "part of"),
        ("http://x/Jean-Paul_Sartre", "Jean-Paul Sartre"),
        ("http://x/%E5%8C%97%E4%BA%AC", "北京"),
        ("http://x/AC%2FDC", "AC/DC"),
        ("http://x/100%_%zz%ff%00", "100% %zz%ff%00"),
        ("http://x/a/", "a"),
        ("http://x/a#", "a"),
        ("http://x/a#b/c", "b/c"),
        ("urn:isbn:123", "123"),
        ("http://schema.org/", "schema.org"),
        ("http://", "http://"),
        ("a:", "a:"),
        ("http://x/___", "http://x/___"),
        ('"chat"@fr', "chat"),
        (r'"a\nb\u0000"', "a\nb\ufffd"),
        ('""', ""),
        ("_:b0", ""),
        ("北京", "北京"),
        ("birthPlace", "birthPlace"),
        ('"', '"'),
        ("", ""),
    ],
)
def test_readable_names(term: str, name: str) -> None:
    assert readable(term) == name


@given(parts | st.builds("{}:{}".format, st.just("http"), parts) | texts)
def test_every_string_is_readable(term: str) -> None:
    name = readable(term)
    assert name or not term or is_blank(term) or parse_literal(term) == Literal("")


@given(kept)
def test_plain_text_survives_rdf(text: str) -> None:
    iri = to_rdf(text)
    assert is_iri(iri)
    assert from_rdf(iri) == text
    assert iri == text or iri.startswith("urn:graphs:")


def test_iris_stand_for_themselves_in_rdf() -> None:
    assert to_rdf("http://a/b") == "http://a/b"
    assert to_rdf("a b/ü") == "urn:graphs:a%20b%2F%C3%BC"
    assert to_rdf("urn:graphs:a") == "urn:graphs:urn%3Agraphs%3Aa"


@pytest.mark.parametrize(
    "iri",
    [
        "http://a/%20",
        "urn:graphs:",
        "urn:graphs:%20",
        "urn:graphs:a/b",
        "urn:graphs:%00",
        "urn:graphs:%ff",
        "urn:graphs:%2f",
        "urn:graphs:http%3A%2F%2Fa",
        "urn:graphs:%ED%A0%80",
    ],
)
def test_iris_that_no_text_gives_are_kept(iri: str) -> None:
    assert from_rdf(iri) == iri


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u3000", "a\0", "a\ud800"])
def test_what_no_graph_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        to_rdf(text)
