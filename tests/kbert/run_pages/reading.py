"""A page as a browser's parser sees it, without a browser."""

from __future__ import annotations

import html.parser
from xml.etree import ElementTree


class Reader(html.parser.HTMLParser):
    """Takes down elements, ids, texts, and what was never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "use", "path", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("path", "rect", "use"):
            return
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def check_page(text: str) -> Reader:
    """Assert what holds for every report: whole, no script, no attribute of style, no request."""
    found = Reader(text)
    assert found.open == []
    assert not found.named("script") and not found.named("iframe")
    for tag, attributes in found.elements:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "xlink:href"):
            target = attributes.get(name) or ""
            assert "//" not in target, target
    ids = [attributes["id"] for _, attributes in found.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for svg in found.named("svg"):
        assert svg.get("aria-label") or svg.get("aria-hidden") == "true"
    assert text.startswith("<!doctype html>") and "Content-Security-Policy" in text
    return found


def check_svg(text: str) -> None:
    """Assert that a figure is well-formed XML."""
    start, end = text.index("<svg"), text.index("</svg>") + len("</svg>")
    ElementTree.fromstring(text[start:end])
