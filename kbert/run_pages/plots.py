"""Curves and histograms as SVG inside a page, drawn by matplotlib, which is installed on request.

Lines and letters of the axes take the colour of the page's text, so a figure is readable in light
and dark; series differ in colour, dashes and marks. Letters stay letters: they can be searched,
and are read in the page's own font. No state of matplotlib is changed.
"""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kbert.pages.markup import Html, element, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING: Final = "no curves are drawn: matplotlib is not installed (pip install 'kbert[plots]')"
# They stand out from white and from nearly black, and from each other without their hue.
_COLOURS: Final = ("#2f7ebc", "#d9662b", "#2e9a6b", "#a56cc1", "#b58900", "#7f8c99")
_DASHES: Final = ("-", "--", "-.", ":", (0, (1, 1)), (0, (6, 2, 1, 2)))
_MARKS: Final = ("o", "s", "^", "D", "v", "P")
_MARKED: Final = 40  # points up to which each has a mark
_INK: Final = "#000000"
_LETTERS: Final = 10  # as the style of reports has it; else they would not fit where they are put
_SIZE: Final = (5.0, 2.9)  # inches: 360 of a phone's pixels wide, so letters keep their size there


@dataclass(frozen=True, slots=True)
class Series:
    """A line: its name and its points, as many `xs` as `ys`."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


def available() -> bool:
    """Say whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def lines(
    series: Sequence[Series], *, title: str, x: str, y: str, key: str, log_y: bool = False
) -> Html | None:
    """Draw lines over one axis; None without points or without matplotlib.

    `key` is a word that no other figure of the page has; its ids begin with it.
    """
    drawn = [each for each in series if len(each.xs)]
    if not drawn or not available():
        return None
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Axes) -> None:
        for number, each in enumerate(drawn):
            place = number % len(_COLOURS)
            axes.plot(
                each.xs, each.ys, label=_plain(each.name), color=_COLOURS[place], linewidth=1.6,
                linestyle=_DASHES[place],
                marker=_MARKS[place] if len(each.xs) <= _MARKED else "", markersize=3.5,
            )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log_y and all(value > 0 for each in drawn for value in each.ys):
            axes.set_yscale("log")
        if len(drawn) > 1:
            axes.legend(frameon=False, fontsize=_LETTERS)

    ends = "; ".join(f"{each.name} ends at {each.ys[-1]:.4g}" for each in drawn)
    return _figure(draw, title=title, x=x, y=y, key=key, told=ends)


def bars(
    labels: Sequence[str], values: Sequence[float], *, title: str, x: str, y: str, key: str
) -> Html | None:
    """Draw a bar for each label; None without bars or without matplotlib."""
    if not len(values) or not available():
        return None

    def draw(axes: Axes) -> None:
        places = range(len(values))
        axes.bar(places, list(values), color=_COLOURS[0], width=0.8)
        axes.set_xticks(places, list(labels), parse_math=False)

    told = ", ".join(f"{label}: {value:g}" for label, value in zip(labels, values, strict=True))
    return _figure(draw, title=title, x=x, y=y, key=key, told=told)


def _figure(
    draw: Callable[[Axes], None], *, title: str, x: str, y: str, key: str, told: str
) -> Html:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": key, "font.family": "sans-serif",
                  "font.size": _LETTERS, "xtick.labelsize": _LETTERS, "ytick.labelsize": _LETTERS,
                  "axes.labelsize": _LETTERS}  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_xlabel(x, parse_math=False)
        axes.set_ylabel(y, parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, alpha=0.2, linewidth=0.6, color=_INK)
        axes.set_axisbelow(True)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    picture = _embedded(written.getvalue(), key=key, name=f"{title}: {told}")
    return element("figure", picture, element("figcaption", title), class_="plot")


def _plain(name: str) -> str:
    """Return a name of which matplotlib makes no formula."""
    return name.replace("$", r"\$")


def _embedded(svg: str, *, key: str, name: str) -> Html:
    """Make a file of matplotlib a part of a page: no prologue, own ids, the page's ink."""
    start = svg.index("<svg")
    head, body = svg[start : svg.index(">", start)], svg[svg.index(">", start) + 1 :]
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]*", "font-family: inherit", body)
    body = re.sub(r'\bid="', f'id="{key}-', body)
    body = re.sub(r'href="#', f'href="#{key}-', body)
    body = re.sub(r"url\(#", f"url(#{key}-", body)
    body = body.replace("xlink:href", "href")
    body = body.replace(f"stroke: {_INK}", "stroke: currentColor")
    body = body.replace(f"fill: {_INK}", "fill: currentColor")
    label = escape(name)
    lines = 'stroke-linejoin="round" stroke-linecap="butt"'
    start_tag = f'<svg {box[0]} role="img" aria-label="{label}" fill="currentColor" {lines}>'
    return Html(start_tag + re.sub(r'style="([^"]*)"', _attributes, body))


def _attributes(style: re.Match[str]) -> str:
    """Turn an attribute of style, which pages refuse to obey, into those that SVG has."""
    found = []
    for declaration in style[1].split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":  # older releases of matplotlib: size and family in one
            name, value = "font-size", value.split()[0]
        if name and value != "inherit":
            found.append(f'{name}="{value}"')
    return " ".join(found)
