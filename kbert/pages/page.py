"""One HTML document: its style and script within it, and nothing from anywhere else.

The content security policy names style and script by their hashes, so a browser runs no others, and
it forbids every request. Attributes of style are not used.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from importlib import resources
from typing import Any

from kbert.pages.markup import Child, Html, element


def document(
    title: str, *parts: Child, data: Any = None, more_style: str = "", scripted: bool = True
) -> Html:
    """Return a whole page; `data` is what its script reads, of plain values.

    `more_style` are further rules; a page that is not `scripted` has no script at all.
    """
    style, script = _asset("page.css") + more_style, _asset("page.js")
    allowed = f"'{_hash(script)}'" if scripted else "'none'"
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src {allowed};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Html(style)),
    )
    scripts = [
        element("script", _json(data), type="application/json", id="data"),
        element("script", Html(script)),
    ]
    body = element("body", element("main", *parts), scripts if scripted else None)
    return Html("<!doctype html>\n" + element("html", head, body, lang="en") + "\n")


def section(title: str, *parts: Child, name: str, note: Child = None) -> Html:
    """Return a section with its heading; `name` is its class, `note` a line under the heading."""
    line = None if note is None else element("p", note, class_="note")
    return element(
        "section", element("h2", title, id=name), line, *parts, class_=name, aria_labelledby=name
    )


def _json(data: Any) -> Html:
    """Write values so that nothing in them ends the element that holds them."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Html(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@functools.cache
def _asset(name: str) -> str:
    return resources.files("kbert.pages").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
