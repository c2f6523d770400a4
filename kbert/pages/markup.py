"""HTML in which a text cannot become markup.

`element` makes what is `Html`; any other string among its children or attributes is a text and is
escaped. So there is no call that can be forgotten, only `Html(...)` to be used with thought.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, Union

_EMPTY = frozenset({"meta", "link", "br", "hr", "img", "input", "col", "wbr"})
# Text may hold no NUL in HTML, and controls have no look of their own: they get that of their
# names. The C1 controls would be read as Windows characters.
_CONTROLS = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)}
_CONTROLS |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
_ESCAPES = {ord(c): f"&{name};" for c, name in zip("&<>", ("amp", "lt", "gt"), strict=True)}
_ESCAPES |= {ord('"'): "&quot;", ord("'"): "&#39;"}
_TABLE: dict[int, str | int] = {**_CONTROLS, **_ESCAPES}


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child: TypeAlias = Union[str, int, float, Iterable["Child"], None]  # noqa: UP007


def escape(text: str) -> Html:
    """Return a text as markup that shows it; lone surrogates, which no file holds, as U+FFFD."""
    if isinstance(text, Html):
        return text
    clean = text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
    return Html(clean.translate(_TABLE))


def join(*children: Child) -> Html:
    """Return children in a row: markup as it is, texts escaped, None left out."""
    return Html("".join(_flat(children)))


def element(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """Return an element; `class_` is `class`, `data_token` is `data-token`.

    An attribute that is True stands alone; one that is None or False is left out. Numbers are
    written short.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.removesuffix("_").replace("_", "-")
        words.append(label if value is True else f'{label}="{escape(_number(value))}"')
    start = f"<{' '.join(words)}>"
    return Html(start if name in _EMPTY else f"{start}{join(*children)}</{name}>")


def isolated(text: str, **attributes: str | int | float | bool | None) -> Html:
    """Return a name so that its direction, or marks in it, turn nothing around it."""
    return element("bdi", text, **attributes)


def _flat(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, str):
            yield escape(child)
        elif isinstance(child, int | float):
            yield _number(child)
        elif child is not None:
            yield from _flat(child)


def _number(value: str | int | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
