"""Lines of N-Triples and what they say: each form of the grammar, and each way to miss it."""

from __future__ import annotations

from hypothesis import strategies as st

XSD = "http://www.w3.org/2001/XMLSchema#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

# A tail as it is written, and its term.
TAILS = [
    ("<urn:x:o>", "urn:x:o"),
    ("<http://例/o?a=b#c>", "http://例/o?a=b#c"),
    (r"<urn:x:\u00E9\U000000e9>", "urn:x:éé"),
    ("<scheme+1.-:!$%&'()*+,-./09:;=?@AZ[]_az~>", "scheme+1.-:!$%&'()*+,-./09:;=?@AZ[]_az~"),
    ("_:a", "_:a"),
    ("_:1a", "_:1a"),
    ("_:a.b-c·", "_:a.b-c·"),
    ("_:北京", "_:北京"),
    ('""', '""'),
    ('"北京 \u2028 \x85 ߿ \U0010ffff"', '"北京 \u2028 \x85 ߿ \U0010ffff"'),
    ('"it\'s"', '"it\'s"'),
    ('" !#$%&():;<=>?@[]^_`{|}~"', '" !#$%&():;<=>?@[]^_`{|}~"'),
    (r'"\t\b\n\r\f\"\\"', r'"\t\b\n\r\f\"\\"'),
    (r'"\'"', '"\'"'),
    (r'"x\\"', r'"x\\"'),
    (r'"\\u0041"', r'"\\u0041"'),
    (r'"\u006F\U0000006f\u4E2D\U0001F600"', '"oo中😀"'),
    (r'"\u0000\u0001\u0009\u000A\u000B\u001F\u007f"', r'"\u0000\u0001\t\n\u000B\u001F\u007F"'),
    ('"\0\t\x0b\x0c\x0e&([]\x7f"', r'"\u0000\t\u000B\f\u000E&([]\u007F"'),
    ('"x"@en', '"x"@en'),
    ('"x"@en-UK', '"x"@en-uk'),
    ('"x"@EN', '"x"@en'),
    ('"x"@de-1996', '"x"@de-1996'),
    (f'"4"^^<{XSD}byte>', f'"4"^^<{XSD}byte>'),
    (f'"4"^^<{XSD}string>', '"4"'),
    (f'"4"^^<{XSD}string2>', f'"4"^^<{XSD}string2>'),
    (r'"4"^^<urn:x:\u0041>', '"4"^^<urn:x:A>'),
    ('"4" ^^\t<urn:x:d>', '"4"^^<urn:x:d>'),
    ('"x"\t@en', '"x"@en'),
    ("<urn:graphs:a%20b>", "a b"),
    ("<urn:graphs:a%2fb>", "urn:graphs:a%2fb"),
    ('"urn:graphs:a"', '"urn:graphs:a"'),
]
# A whole line that holds no triple, and why; "at" is where it is said to be wrong.
WRONG = [
    ("<urn:x:s>", 10, "the line ends before the relation"),
    ("<urn:x:s> <urn:x:p>", 20, "the line ends before the tail"),
    ("<urn:x:s> <urn:x:p> .", 21, "is no tail"),
    ("<urn:x:s> <urn:x:p> <urn:x:o>", 30, "without a full stop"),
    ("<urn:x:s> <urn:x:p> <urn:x:o> # .", 31, "instead of a full stop"),
    ("<urn:x:s> <urn:x:p> <urn:x:o> ..", 32, "after the full stop"),
    ("<urn:x:s> <urn:x:p> <urn:x:o> . <urn:x:s>", 33, "after the full stop"),
    ("<urn:x:s> <urn:x:p> <urn:x:o>, <urn:x:o> .", 30, "belongs to Turtle"),
    ("<urn:x:s> <urn:x:p> <urn:x:o>; <urn:x:p> <urn:x:o> .", 30, "belongs to Turtle"),
    ("@prefix : <urn:x:> .", 1, "belongs to Turtle"),
    ("@base <urn:x:> .", 1, "belongs to Turtle"),
    ("a:s <urn:x:p> <urn:x:o> .", 1, "is no head"),
    ("<urn:x:s> a <urn:x:o> .", 11, "is no relation"),
    ('"s" <urn:x:p> <urn:x:o> .', 1, "a literal can only be a tail"),
    ('<urn:x:s> "p" <urn:x:o> .', 11, "a literal can only be a tail"),
    ("<urn:x:s> _:p <urn:x:o> .", 11, "no blank node"),
    ("\ufeff<urn:x:s> <urn:x:p> <urn:x:o> .", 1, "byte order mark"),
    ("\xa0<urn:x:s> <urn:x:p> <urn:x:o> .", 1, "is no head"),
    ("\0<urn:x:s> <urn:x:p> <urn:x:o> .", 1, "is no head"),
    ("\0", 1, "is no head"),
    ("<urn:x:s> <urn:x:p> <urn:x:o> .\x0b", 32, "after the full stop"),
    ("<<urn:x:s> <urn:x:p> <urn:x:o>> <urn:x:p> <urn:x:o> .", 1, "RDF 1.2"),
    ("<urn:x:s> <urn:x:p> <<(<urn:x:s> <urn:x:p> <urn:x:o>)>> .", 21, "RDF 1.2"),
    ("<s> <urn:x:p> <urn:x:o> .", 1, "relative IRI"),
    ("<urn:x:s> <p> <urn:x:o> .", 11, "relative IRI"),
    ("<urn:x:s> <> <urn:x:o> .", 11, "relative IRI"),
    ("<urn:x:s>\r<urn:x:p> <urn:x:o> .", 10, "ends a line within this one"),
    ("<urn:x:s>\n<urn:x:p> <urn:x:o> .", 10, "ends a line within this one"),
    ("# comment\r<urn:x:s> <urn:x:p> <urn:x:o> .", 10, "ends a line within this one"),
]
# The same for a tail, which stands at column 21.
WRONG_TAILS = [
    ("<o>", 21, "relative IRI"),
    ("<1urn:o>", 21, "relative IRI"),
    ("<:o>", 21, "relative IRI"),
    ("<urn:x:a b>", 29, "' ' is not allowed in an IRI"),
    ("<urn:x:o", 29, "' ' is not allowed in an IRI"),
    ("<urn:x:o.", 30, "' ' is not allowed in an IRI"),
    ("<urn:x:{>", 28, "'{' is not allowed in an IRI"),
    ("<urn:x:\t>", 28, "not allowed in an IRI"),
    ("<urn:x:\0>", 28, "not allowed in an IRI"),
    (r"<urn:x:\u0020>", 21, "' ' is not allowed in an IRI"),
    (r"<urn:x:\u005C>", 21, "not allowed in an IRI"),
    (r"<urn:x:\u00ZZ11>", 21, "is no escape"),
    (r"<urn:x:\U00ZZ1111>", 21, "is no escape"),
    (r"<urn:x:\uD800>", 21, "is no character"),
    (r"<urn:x:\n>", 21, "is no escape of an IRI"),
    (r"<urn:x:\/>", 21, "is no escape of an IRI"),
    (r"<urn:x:\'>", 21, "is no escape of an IRI"),
    ("_:", 21, "label"),
    ("_::a", 21, "label"),
    ("_:-a", 21, "label"),
    ("_:.a", 21, "label"),
    ("_:a:b", 24, "instead of a full stop"),
    ("_:a.", 26, "after the full stop"),
    ('"x', 21, "is not closed"),
    ("\"x'", 21, "is not closed"),
    ("'x'", 21, "double quotes"),
    ("'''x'''", 21, "double quotes"),
    ("1", 21, "is no tail"),
    ("1.0", 21, "is no tail"),
    ("1.0e1", 21, "is no tail"),
    ("true", 21, "is no tail"),
    ("[]", 21, "is no tail"),
    ("()", 21, "is no tail"),
    (r'"a\zb"', 21, "is no escape"),
    (r'"\uWXYZ"', 21, "is no escape"),
    (r'"\U0000WXYZ"', 21, "is no escape"),
    (r'"\u12"', 21, "is no escape"),
    (r'"\uD800"', 21, "is no character"),
    (r'"\uDFFF"', 21, "is no character"),
    (r'"\uD83D\uDE00"', 21, "is no character"),
    (r'"\U0000D800"', 21, "is no character"),
    (r'"\U00110000"', 21, "is no character"),
    (r'"\UFFFFFFFF"', 21, "is no character"),
    ('"x"@1', 24, "no language tag"),
    ('"x"@', 24, "no language tag"),
    ('"x"@ en', 24, "no language tag"),
    ('"x"@en_uk', 27, "instead of a full stop"),
    ('"x"@en-', 27, "instead of a full stop"),
    ('"x"@en--ltr', 27, "RDF 1.2"),
    ('"x"^^', 27, "a datatype is an IRI"),
    ('"x"^^xsd:int', 26, "a datatype is an IRI"),
    ('"x"^^"y"', 26, "a datatype is an IRI"),
    ('"x"^^_:y', 26, "a datatype is an IRI"),
    ('"x"^^<dt>', 26, "relative IRI"),
    ('"x"^<urn:x:d>', 24, "instead of a full stop"),
    ('"x"@en^^<urn:x:d>', 27, "instead of a full stop"),
    (f'"x"^^<{RDF}langString>', 21, "needs a language tag"),
    (f'"x"^^<{RDF}dirLangString>', 21, "needs a language tag"),
]
WRONG += [(f"<urn:x:s> <urn:x:p> {tail} .", at, why) for tail, at, why in WRONG_TAILS]


def line_of(tail: str) -> str:
    return f"<urn:x:s> <urn:x:p> {tail} ."


# Lines of every form, made of terms that both this reader and its peer allow.
names = st.text("abé北AZ09_", min_size=1, max_size=5)
iris = st.builds("<{}:{}>".format, st.sampled_from(["urn:x", "http", "A+1"]), names)
iris |= st.sampled_from([r"<urn:x:\u0061>", r"<\U00000061:b>", "<urn:graphs:a%20b>", "<urn:x:>"])
blanks = st.builds(
    "_:{}".format, st.from_regex(r"[A-Za-z0-9_é]([A-Za-z0-9.é-]{0,4}[a·-])?", fullmatch=True)
)
pieces = st.sampled_from([r"\n", r"\"", r"\\", r"\'", r"\u00e9", r"\U0001F600", r"\u007F", "\t"])
bodies = st.lists(pieces | st.text("ab'<>@^#. \0\x7f\x85", max_size=4) | names, max_size=4)
tags = st.sampled_from(["", "@en", "@EN-gb", "@de-1996", f"^^<{XSD}string>", f"^^<{XSD}byte>"])
literals = st.builds(lambda body, tag: f'"{"".join(body)}"{tag}', bodies, tags)
gaps = st.sampled_from(["", " ", "\t", "  "])
ends = st.sampled_from([".", " .", ". ", " .\t# c.", ".#"])
rows = st.builds("".join, st.tuples(iris | blanks, gaps, iris, gaps, iris | blanks | literals))
triple_lines = st.builds("{}{}".format, rows, ends)
quad_lines = st.builds("{}{}{}{}".format, rows, st.sampled_from([" ", "\t"]), iris | blanks, ends)
