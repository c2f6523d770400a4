"""Documents of every format that graphs are read from, and tokens that do harm in them.

All documents are written for this purpose. `DOCUMENTS` holds a sound one for each format,
`TOKENS` says how each is cut into pieces that mean something, and `HOSTILE` lists what is put
between them: what a grammar forbids, what it allows and nobody expects, and what reaches outside.
"""

from __future__ import annotations

import json
import re
from typing import Final

_ROWS = (
    "北京\t首都\t中国\n北京\t是\t城市\n上海\t位于\t中国\n中国\t首都\t北京\n"
    "Ada Lovelace\tborn in\tLondon\nLondon\tis a\tcity\ncity\tis a\tcity\n"
    "Straße\tis a\troad\nİstanbul\tis a\tcity\n"
)
_NT = r"""# a comment
<http://e/ada> <http://www.w3.org/2000/01/rdf-schema#label> "Ada \u004Covelace"@en .
<http://e/ada> <http://www.w3.org/2000/01/rdf-schema#label> "爱达"@zh-Hant .
<http://e/ada> <http://www.w3.org/2004/02/skos/core#altLabel> "Ada \"the\" first\n" .
<http://e/ada> <http://e/bornIn> <http://e/London> .
<http://e/London> <http://e/in> _:there .
_:there <http://schema.org/name> "England" .
_:there <http://e/area> "130279"^^<http://www.w3.org/2001/XMLSchema#integer> .
<urn:graphs:a%20b> <urn:graphs:is%20a> <urn:graphs:%E5%9F%8E> .
"""
_NQ = _NT + (
    '<http://e/ada> <http://e/p> "in a graph" <http://e/g> .\n'
    "<http://e/ada> <http://e/p> <http://e/ada> _:g .\n"
)
_TTL = """@prefix e: <http://e/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
PREFIX : <http://e/none#>
@base <http://e/base/> .
e:ada a e:Person ; rdfs:label "Ada"@en , 'Ada'@de ; e:bornIn <London> .
<London> rdfs:label \"\"\"London
on Thames\"\"\"@en-GB ; e:in [ rdfs:label "England" ; e:area 130279 , 1.5 , 2.0e3 , true ] .
:x\\-y e:list ( 1 :b [] "c"^^e:type ) . # a comment
_:n e:self _:n .
"""
_TRIG = _TTL + "e:g { e:ada e:knows e:bob . }\nGRAPH <http://e/h> { e:bob e:knows e:ada }\n"
_XML = """<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/"
  xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xml:base="http://e/">
  <e:Person rdf:about="ada" e:nick="A &amp; L">
    <rdfs:label xml:lang="en">Ada Lovelace</rdfs:label>
    <rdfs:label xml:lang="zh">爱达</rdfs:label>
    <e:bornIn rdf:resource="London"/>
    <e:area rdf:datatype="http://www.w3.org/2001/XMLSchema#integer">130279</e:area>
    <e:knows rdf:parseType="Resource"><rdfs:label>Bob</rdfs:label></e:knows>
    <e:list rdf:parseType="Collection"><rdf:Description rdf:about="a"/></e:list>
    <e:note rdf:parseType="Literal"><e:b>bold</e:b> text</e:note>
  </e:Person>
  <rdf:Bag rdf:nodeID="bag"><rdf:li>one</rdf:li><rdf:li>two</rdf:li></rdf:Bag>
</rdf:RDF>
"""
_JSONLD = {
    "@context": {
        "e": "http://e/",
        "label": {"@id": "http://www.w3.org/2000/01/rdf-schema#label", "@language": "en"},
        "knows": {"@id": "e:knows", "@type": "@id", "@container": "@set"},
        "list": {"@id": "e:list", "@container": "@list"},
        "says": {"@id": "e:says", "@container": "@language"},
    },
    "@graph": [
        {"@id": "e:ada", "@type": "e:Person", "label": "Ada", "knows": ["e:bob", "_:c"]},
        {"@id": "e:bob", "list": [1, 2.5, True, "x"], "says": {"zh": "你好", "en": ["hi", "yo"]}},
        {"@id": "e:g", "@graph": [{"@id": "e:ada", "e:p": {"@value": "1", "@type": "e:t"}}]},
        {"@id": "_:c", "@reverse": {"e:of": {"@id": "e:bob"}}, "e:p": {"@list": []}},
    ],
}

DOCUMENTS: Final[dict[str, bytes]] = {
    form: text.encode()
    for form, text in {
        "spo": _ROWS,
        "tsv": _ROWS,
        "csv": _ROWS.replace("\t", ",") + '"a, b",says,"he said ""no"""\n',
        "nt": _NT,
        "nq": _NQ,
        "ttl": _TTL,
        "n3": _TTL,
        "trig": _TRIG,
        "rdf": _XML,
        "owl": _XML,
        "xml": _XML,
        "jsonld": json.dumps(_JSONLD, ensure_ascii=False, indent=1),
    }.items()
}

# Folders as they are published; the first file of each is the graph.
FOLDERS: Final[dict[str, dict[str, bytes]]] = {
    "KG-BERT": {
        "train.tsv": _ROWS.encode(),
        "dev.tsv": "北京\t首都\t中国\nBob\tis a\tcity\n".encode(),
        "test.tsv": "中国\t首都\t上海\n".encode(),
        "entity2text.txt": "北京\tBeijing, a large city\nLondon\tLondon, an old city\n".encode(),
        "relation2text.txt": "首都\tcapital of\nis a\tis a kind of\n".encode(),
    },
    "Wikidata5M": {
        "wikidata5m_transductive_train.txt": b"Q1\tP1\tQ2\nQ2\tP1\tQ3\nQ1\tP2\tQ1\n",
        "wikidata5m_entity.txt": "Q1\tAda\tAda Lovelace\nQ2\tLondon\t伦敦\nQ9\tno one\n".encode(),
        "wikidata5m_relation.txt": b"P1\tborn in\tplace of birth\n",
    },
}

TEXTS: Final[dict[str, bytes]] = {
    "txt": "我在北京 和 上海。\nAda Lovelace saw London\n\nin Straße, STRASSE\n".encode(),
    "tsv": "label\ttext_a\n1\tAda in London\n0\t中国的首都\n".encode(),
    "csv": b'label,text\n1,"Ada, in London"\n0,city\n',
    "jsonl": b'{"label": 1, "text": "Ada in London"}\n{"label": 0, "text": "city"}\n',
}

# What has no end is a token, too: looking for ends in vain would take quadratic time.
_RDF = re.compile(rb'<[^>\n]*+>?|"(?:[^"\\\n]|\\.)*+"?|[\w:@.^\\-]+|\s|.', re.DOTALL)
_MARKUP = re.compile(rb'</?[\w:]+|\s[\w:]+=|"[^"]*+"?|/?>|[^<>"]+|.', re.DOTALL)
_FIELDS = re.compile(rb"[^\t\n]+|.", re.DOTALL)
TOKENS: Final[dict[str, re.Pattern[bytes]]] = {
    **dict.fromkeys(("spo", "tsv", "txt"), _FIELDS),
    "csv": re.compile(rb'[^,"\n]+|.', re.DOTALL),
    **dict.fromkeys(("nt", "nq", "ttl", "n3", "trig"), _RDF),
    **dict.fromkeys(("rdf", "owl", "xml"), _MARKUP),
    **dict.fromkeys(
        ("jsonld", "jsonl", "manifest"),
        re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\w.+-]+|\s+|.', re.DOTALL),
    ),
}

_ANYWHERE = (
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b" ",
    b"\x0b", b"\x0c", b"\x1b[2J", b"\x1c", b"\x1f", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\xe2\x80\xa9", b"\xe2\x80\xae", b"\xe2\x80\x8b", b"\xed\xa0\x80", b"\xc0\x80",
    b"\xf4\x90\x80\x80", b"\xe3\x80\x80", b"\xc2\xa0", b"\xef\xb7\xba", b"\xc4\xb0", b"\xc3\x9f",
    b"e\xcc\x81", b"\xf0\x9f\x87\xa8\xf0\x9f\x87\xb3", b"\xef\xbf\xbf", b"\xef\xbf\xbd",
    b"_:b", b"_:b.c", b"_:b.", b"urn:graphs:", b"urn:graphs:%00", b"urn:graphs:%09", b"\\",
    b"urn:graphs:%ED%A0%80", b"urn:graphs:a b", b"urn:graphs:%e4%b8%ad", b"http://e/%FF%20", b'"',
    b'"x"@en', b'"1"^^<http://www.w3.org/2001/XMLSchema#integer>', b'"x', b"[SEP]", b"a:",
    b'"\\u0000"', b'"a\\tb"', b'"\\uD800"', b"http://schema.org/birthPlace", b"-", b"--help",
    b"http://www.w3.org/2000/01/rdf-schema#label", b"http://xmlns.com/foaf/0.1/name",
)  # fmt: skip
_IN_RDF = (
    b"\\u0000", b"\\uD800", b"\\uDBFF\\uDFFF", b"\\U00110000", b"\\U0001F600", b"\\u00", b"\\x",
    b"<", b">", b"<a>", b"<>", b"<http://e/a b>", b"<http://e/\\u0020>", b"<http://e/\\u00e9>",
    b"<//host>", b"<?q>", b"<../../secret>", b"<file:///secret>", b"_:", b"_:a:b", b"@", b"@en-",
    b"@EN-gb", b"@en--ltr", b"^^", b"^^<x>", b"^^<http://www.w3.org/2001/XMLSchema#string>",
    b"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString>", b"<<", b">>", b"<<(", b"{|",
    b"|}", b"[", b"]", b"(", b")", b"{", b"}", b"[]", b"()", b"'''", b'"""', b"''", b".", b";;",
    b",", b"a", b"#", b"@prefix e: <x> .", b"@prefix : <urn:graphs:> .", b"@base <> .",
    b"BASE <http://b/>", b"@forAll :x .", b"=>", b"<=", b"?x", b"!", b"e:a/e:b", b"GRAPH", b"true",
    b"1.", b".5", b"-1e5", b"+0", b"1e", b"1E+400", b":%zz", b":\\,", b":a.b.", b"e:",
    b"e:\xc2\xb7",
    b'VERSION "1.2"', b"~",
)  # fmt: skip
_IN_XML = (
    b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///secret">]>', b"&x;", b"&#0;",
    b"&#xD800;", b"&#x1F600;", b"&#xFFFFFFFF;", b"&lt;", b"&", b"<![CDATA[", b"]]>", b"<!--",
    b"-->", b"--", b"<?xml version='1.1'?>", b"<?php ?>", b' rdf:parseType="Literal"',
    b' rdf:parseType="Collection"', b' rdf:parseType="x"', b' rdf:ID="a"', b' rdf:nodeID="a b"',
    b' rdf:about="../secret"', b' xml:base="file:///secret"', b' xml:base=""', b' xml:lang=""',
    b' xml:lang="e n"', b' rdf:datatype="x"', b"<rdf:li>", b"<rdf:_1/>", b"<rdf:Description/>",
    b' rdf:bagID="b"', b' rdf:aboutEach="x"', b' xmlns:e="urn:graphs:"', b' xmlns=""', b"<e:a>",
    b"</e:a>", b"<x/>", b"</rdf:RDF>", b"<rdf:RDF>", b'encoding="utf-16"', b"<:a/>",
)  # fmt: skip
_IN_JSON = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"0", b"-0", b"1e400", b"1E-400",
    b"9" * 40, b"1.0", b"NaN", b'""', b'"@id"', b'"@type"', b'"@value"', b'"@list"', b'"@set"',
    b'"@graph"', b'"@context"', b'"@reverse"', b'"@index"', b'"@container"', b'"@language"',
    b'"@vocab"', b'"@base"', b'"@import"', b'"@nest"', b'"@included"', b'"@version"', b'"@json"',
    b'"@direction"', b'"@propagate"', b'"@protected"', b'"@prefix"', b'"@none"', b'"\\ud800"',
    b'"\\u0000"', b'"http://127.0.0.1:9/secret"', b'"file:///secret"', b'"_:b"', b'"e:a b"',
    b'"secret.jsonld"', b'{"@context": "secret"}', b'"e:"', b'":"', b'"http://e/p"', b"//",
)  # fmt: skip
HOSTILE: Final[dict[str, tuple[bytes, ...]]] = {
    **dict.fromkeys(("spo", "tsv", "txt"), _ANYWHERE),
    "csv": (*_ANYWHERE, b",", b'""', b'",', b',"', b'"a"b,'),
    **dict.fromkeys(("nt", "nq", "ttl", "n3", "trig"), _ANYWHERE + _IN_RDF),
    **dict.fromkeys(("rdf", "owl", "xml"), _ANYWHERE + _IN_XML),
    **dict.fromkeys(("jsonld", "jsonl", "manifest"), _ANYWHERE + _IN_JSON),
}

# What may be opened again and again.
NESTS: Final[dict[str, tuple[tuple[bytes, bytes], ...]]] = {
    **dict.fromkeys(
        ("ttl", "n3", "trig"),
        ((b"[ e:p ", b"]"), (b"(", b")"), (b"<<", b">>"), (b"{|", b"|}"), (b"{", b"}")),
    ),
    **dict.fromkeys(
        ("rdf", "owl", "xml"),
        ((b"<e:T><e:p>", b"</e:p></e:T>"), (b"<e:p>", b"</e:p>"), (b"<e:T>", b"</e:T>")),
    ),
    **dict.fromkeys(
        ("jsonld", "jsonl"),
        ((b"[", b"]"), (b'{"e:p":', b"}"), (b'{"@graph":', b"}"), (b'{"@list":[', b"]}")),
    ),
}
