"""Write sound documents of hostile texts: these must be read, whatever the texts are."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from benchmarks.hostile import HOSTILE

# What the texts of a composed document cannot hold.
COMPOSED: Final = {
    "csv": r"[\0\n\r]",
    "jsonld": "",
    **dict.fromkeys(("nt", "nq", "ttl", "trig"), ""),
    **dict.fromkeys(("rdf", "xml"), "[\0-\x1f\uffff]"),
}
_HEADS: Final = ("http://e/a", "http://e/%41_b", "urn:graphs:a%20b", "http://e/\u4e2d#x/")
_NAMING: Final = (
    "http://www.w3.org/2000/01/rdf-schema#label",
    "http://www.w3.org/2004/02/skos/core#altLabel",
    "http://e/birthPlace",
    "urn:graphs:is%20a",
)


def composed(form: str, *, rng: Random) -> bytes:
    """Return a sound document of `form`, one of COMPOSED, whose texts are made of hostile ones."""
    pieces = [piece.decode("utf-8", "ignore") for piece in HOSTILE[form]]
    texts = []
    for _ in range(rng.randrange(1, 8)):
        text = "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 5)))
        texts.append(rng.choice(("", "x")) + re.sub(COMPOSED[form], "", text))
    texts = [text for text in texts if text and not text.isspace()] or ["x"]
    if form == "jsonld":
        value = {"@id": "http://e/a", "http://e/p": texts, rng.choice(_NAMING): texts[-1]}
        return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode()
    if form == "csv":
        quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
        rows = ((rng.choice(quoted), rng.choice(quoted), tail) for tail in quoted)
        return "".join(",".join(row) + "\n" for row in rows).encode()
    if form in ("rdf", "xml"):
        said = "".join(f"<e:p>{escape(text)}</e:p>" for text in texts)
        about = quoteattr(f"http://e/{quote(texts[0])}")
        space = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        frame = f'<rdf:RDF xmlns:rdf="{space}" xmlns:e="http://e/"><e:T rdf:about={about}>'
        return f"{frame}{said}</e:T></rdf:RDF>".encode()
    return "".join(
        f'<{rng.choice(_HEADS)}> <{rng.choice(_NAMING)}> "{_escaped(text, rng)}" .\n'
        for text in texts
    ).encode()


def _escaped(text: str, rng: Random) -> str:
    """Escape what must be in a literal of N-Triples and Turtle, and some that need not be."""
    return "".join(
        f"\\U{ord(char):08X}" if char in '"\\\n\r\0' or rng.random() < 0.2 else char
        for char in text
    )
