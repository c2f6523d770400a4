"""Markup that texts cannot get out of, read back by the parser of the standard library."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.pages.markup import Html, element, escape, isolated, join
from kbert.pages.page import document

TEXTS = st.text(max_size=20) | st.text("<>&\"'/ab -!;=\x00\x1b\x9b", max_size=20)


class Reader(HTMLParser):
    """Keep tags, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def shown(text: str) -> str:
    """Return a text as it is to be shown: controls by their pictures."""
    controls = {code: 0x2400 + code for code in range(0x20) if code not in (9, 10, 13)}
    controls |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    return text.translate(controls)


@given(text=TEXTS, value=TEXTS)
def test_a_text_is_a_text_and_an_attribute_an_attribute(text: str, value: str) -> None:
    found = read(element("p", text, element("b", text), title=value))
    assert found.tags == ["p", "b"]
    assert found.attributes == [{"title": shown(value)}, {}]
    assert "".join(found.texts) == shown(text) * 2


def test_children_and_attributes() -> None:
    inner = ["a", ["<", Html("<br>")]]
    made = element("td", 1, 2.5, None, inner, class_="x", data_a=1.50, b=True, c=False, d=None)
    assert made == '<td class="x" data-a="1.5" b>12.5a&lt;<br></td>'
    assert element("br") == "<br>" and join() == ""
    assert escape(Html("<i>")) == "<i>" and isinstance(join("a"), Html)
    assert isolated("a<") == "<bdi>a&lt;</bdi>"
    assert escape("a\ud800b") == "a?b"


@given(text=st.text(max_size=20) | st.sampled_from(["</script>", "<!--<script>", "\u2028]]>"]))
def test_data_comes_back_and_never_ends_its_element(text: str) -> None:
    page = document(text, data={"text": [text]})
    found = read(page)
    assert found.tags.count("script") == 2
    inside = page.split('type="application/json" id="data">')[1].split("</script>")[0]
    assert json.loads(inside) == {"text": [text]}
    assert "<" not in inside


def test_a_page_names_nothing_outside_of_it() -> None:
    page = document("title", element("p", "x"))
    found = read(page)
    policy = next(a["content"] for a in found.attributes if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    for attributes in found.attributes:
        assert not {"src", "style", "onclick", "onload"} & attributes.keys()
        assert attributes.get("href", "data:,") == "data:,"
    assert page.startswith('<!doctype html>\n<html lang="en">')


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_a_page_can_always_be_written(text: str) -> None:
    document(text, element("p", text, title=text)).encode("utf-8")
