"""The sentence tree as SVG: the sentence in lines, and under each mention its facts.

Over a token stands its hard position, under it its soft one. A line ends before a mention whose
facts would not have room to its right; facts of a mention further left stand lower, so that no
line of one crosses those of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from kbert.pages.markup import Html, element, join
from kbert.tree import Node, SentenceTree
from kbert.widths import fitted, width

_CHIP: Final = 24  # the height of a token
_HIGH: Final = 13  # the room for a position above or below it
_GAP: Final = 4
_INDENT: Final = 18
_LONGEST: Final = 16  # columns of a token's text
_ROW: Final = _CHIP + 2 * _HIGH + 4


class Chip(NamedTuple):
    """One token in its place: `kind` is its class, `x` and `y` the corner of its box."""

    token: int
    kind: str
    x: float
    y: float
    width: float


@dataclass
class _Line:
    """A line of the sentence being filled: its chips, and the mentions that end in it."""

    chips: list[Chip]
    ends: list[tuple[Node, float, float]]  # a mention with the span of its last part
    x: float = 0.0


def tree_figure(
    tree: SentenceTree, labels: Sequence[str], *, width: int, label: str, still: bool = False
) -> Html:
    """Draw a tree within `width` pixels; `label` says to a screen reader what it is.

    A `still` one is one picture, for a page without a script: its tokens are no buttons.
    """
    chips: list[Chip] = []
    parts: list[Html] = []
    y = 0.0
    for line in _lines(tree, labels, width=width):
        chips += [chip._replace(y=y + _HIGH) for chip in line.chips]
        parts += [_underline(start, end, y=y + _ROW) for _, start, end in line.ends]
        below, drawn, y = _hang(line, labels, y=y + _ROW + 6, width=width)
        chips += below
        parts += drawn
        y += 10
    tokens = [_draw(chip, tree, labels, still=still) for chip in sorted(chips)]
    return element(
        "svg",
        *parts,
        *tokens,
        class_="tree",
        role="img" if still else "group",
        aria_label=label,
        viewBox=f"-4 0 {width + 8} {y:.0f}",
        width=width + 8,
        height=f"{y:.0f}",
    )


def _lines(tree: SentenceTree, labels: Sequence[str], *, width: int) -> list[_Line]:
    lines = [_Line([], [])]
    starts = {node.start: node for node in tree.nodes}
    ends = {node.stop - 1: node for node in tree.nodes}
    inside = False
    begun = 0.0  # where the part of a mention in this line begins
    for token in (token for token, is_trunk in enumerate(tree.trunk) if is_trunk):
        node, line = starts.get(token), lines[-1]
        size = _width(labels[token])
        wanted = size if node is None else _wanted(node, labels, width=width)
        if line.x and line.x + wanted > width:
            line = _Line([], [])
            lines.append(line)
            begun = 0.0
        if node is not None:
            inside, begun = True, line.x
        kind = "mention" if inside else "special" if tree.starts[token] < 0 else "plain"
        line.chips.append(Chip(token, kind, line.x, 0.0, size))
        line.x += size + _GAP
        if token in ends:
            line.ends.append((ends[token], begun, line.x - _GAP))
            inside = False
    return lines


def _wanted(node: Node, labels: Sequence[str], *, width: int) -> float:
    """Return the room that a mention wants in its line: for itself and for each of its facts."""
    spans = [(node.start, node.stop, 0), *((b.start, b.stop, _INDENT) for b in node.branches)]
    return min(width, max(_length(labels[start:stop]) + extra for start, stop, extra in spans))


def _hang(
    line: _Line, labels: Sequence[str], *, y: float, width: int
) -> tuple[list[Chip], list[Html], float]:
    """Place the facts of a line's mentions, from right to left; return them and where they end."""
    chips: list[Chip] = []
    drawn: list[Html] = []
    ended: list[tuple[float, float]] = []  # of the mentions further right, where and how low
    for node, start, _ in reversed(line.ends):
        at = y
        stems = []
        for branch in node.branches:
            left = start + _INDENT
            rows = _rows(range(branch.start, branch.stop), labels, left=left, right=width)
            right = max(chip.x + chip.width for row in rows for chip in row)
            at = max([at, *(low for x, low in ended if x < right + 2 * _GAP)])
            stems.append(at + _HIGH + _CHIP / 2)
            for row in rows:
                chips += [chip._replace(y=at + _HIGH) for chip in row]
                at += _ROW
        ended.append((start, at))
        drawn.append(_stem(start + _INDENT / 2, top=y - 6, ends=stems))
    return chips, drawn, max([y, *(low for _, low in ended)])


def _rows(
    tokens: Sequence[int], labels: Sequence[str], *, left: float, right: float
) -> list[list[Chip]]:
    rows: list[list[Chip]] = [[]]
    x = left
    for token in tokens:
        size = _width(labels[token])
        if rows[-1] and x + size > right:
            rows.append([])
            x = left
        rows[-1].append(Chip(token, "branch", x, 0.0, size))
        x += size + _GAP
    return rows


def _stem(x: float, *, top: float, ends: Sequence[float]) -> Html:
    turns = "".join(f"M{x:.1f} {end - 6:.1f}q0 6 6 6h{_INDENT / 2 - 6:.1f}" for end in ends)
    down = f"M{x:.1f} {top:.1f}V{max(ends) - 6:.1f}" if ends else ""
    return element("path", class_="stem", d=down + turns, aria_hidden="true")


def _underline(start: float, end: float, *, y: float) -> Html:
    return element(
        "path", class_="bracket", d=f"M{start:.1f} {y:.1f}H{end:.1f}", aria_hidden="true"
    )


def _draw(chip: Chip, tree: SentenceTree, labels: Sequence[str], *, still: bool) -> Html:
    middle = chip.x + chip.width / 2
    soft, text = tree.soft_positions[chip.token], labels[chip.token]
    said = f"{fitted(text, 60)}, token {chip.token}, soft position {soft}"
    said += ", of a fact" if chip.kind == "branch" else ""
    button: dict[str, str | int] = {
        "data_token": chip.token,
        "role": "button",
        "tabindex": 0 if chip.token == 0 else -1,
        "aria_label": said,
        "aria_pressed": "false",
    }
    return element(
        "g",
        None if still else element("title", said),
        element("rect", x=chip.x, y=chip.y, width=chip.width, height=_CHIP, rx=5),
        element("text", fitted(text, _LONGEST), class_="piece", x=middle, y=chip.y + 17),
        element("text", chip.token, class_="hard", x=middle, y=chip.y - 3),
        element("text", soft, class_="soft", x=middle, y=chip.y + _CHIP + 11),
        class_=f"token {chip.kind}",
        **({} if still else button),
    )


def _width(label: str) -> float:
    return max(22.0, sum(map(_width_of, fitted(label, _LONGEST))) + 9)


def _width_of(character: str) -> float:
    """Estimate how wide a character is at 13 pixels: fonts differ, and the text is centred."""
    if width(character) != 1:
        return 6.75 * width(character)
    return 12.5 if character in "mwMW@%" else 5.0 if character in "ijlftr.,:;'|!()[] " else 8.2


def _length(labels: Sequence[str]) -> float:
    return sum(map(_width, labels)) + _GAP * max(0, len(labels) - 1)


def both_figures(
    tree: SentenceTree,
    labels: Sequence[str],
    *,
    wide: int = 880,
    narrow: int = 340,
    still: bool = False,
) -> Html:
    """Draw a tree for wide windows and for narrow ones; the style shows one of them."""
    facts = sum(len(node.branches) for node in tree.nodes)
    label = f"Sentence tree: {len(tree)} tokens, {len(tree.nodes)} mentions, {facts} facts"
    label += "" if not still else f"; the sentence is: {fitted(tree.text, 200)}"
    return join(
        [
            element(
                "div", tree_figure(tree, labels, width=width, label=label, still=still), class_=name
            )
            for name, width in (("wide", wide), ("narrow", narrow))
        ],
    )
