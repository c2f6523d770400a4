"""Attention as heat, a row for each layer and head and a column for each token, and as sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from kbert.pages.markup import Html, element, isolated, join
from kbert.tree import SentenceTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.attention import Gaze

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_STEPS: Final = len(_DIGITS) ** 2 - 1  # a share is written in two digits
_ROWS: Final = 32  # rows of a table; with more of them the mean of a layer's heads is shown
_SHOWN: Final = 12  # mentions whose attention is shown


class Group(NamedTuple):
    """Tokens that belong together, for a column of the table."""

    name: str
    tokens: NDArray[np.bool_]


def attention_figures(gazes: Sequence[Gaze], tree: SentenceTree, labels: Sequence[str]) -> Html:
    """Return for each gaze its heat, which the page's script draws, and its table of sums."""
    more = len(gazes) - _SHOWN - 1
    return join(
        [_figure(gaze, tree, labels) for gaze in gazes[: _SHOWN + 1]],
        element("p", f"The attention of {more} further mentions is not shown.")
        if more > 0
        else None,
    )


def _figure(gaze: Gaze, tree: SentenceTree, labels: Sequence[str]) -> Html:
    layers, heads, length = gaze.shares.shape
    heat = element(
        "div",
        element("noscript", "The picture needs JavaScript; the table holds its sums."),
        class_="heat scroll",
        role="img",
        tabindex=0,
        aria_label=f"Attention from {gaze.name} by layer and head; its sums are in the table below",
        data_layers=layers,
        data_heads=heads,
        data_shares=written(gaze.shares.reshape(-1, length)),
    )
    return element(
        "article",
        element("h3", "from ", isolated(gaze.name)),
        heat,
        element("p", class_="said", aria_live="polite"),
        _table(gaze, _groups(gaze, tree)),
    )


def written(shares: NDArray[np.floating]) -> str:
    """Write shares (R, L) between 0 and 1 as two digits in base 36 each, row after row."""
    steps = np.rint(np.clip(shares, 0, 1) * _STEPS).astype(int).ravel().tolist()
    return "".join(_DIGITS[step // 36] + _DIGITS[step % 36] for step in steps)


def _groups(gaze: Gaze, tree: SentenceTree) -> list[Group]:
    """Return the tokens that ask, each fact of theirs, and the rest of the sentence."""
    start, stop = gaze.asking
    itself = np.zeros(len(tree), dtype=np.bool_)
    itself[start:stop] = True
    groups = [Group("itself", itself)]
    rest = np.array(tree.trunk) & ~itself
    for node in tree.nodes:
        spans = [(node.entity, node.start, node.stop)] if start == 0 else []
        if node.start == start:
            spans = [(f"{b.fact.relation}: {b.fact.tail}", b.start, b.stop) for b in node.branches]
        for name, first, last in spans:
            tokens = np.zeros(len(tree), dtype=np.bool_)
            tokens[first:last] = True
            groups.append(Group(name, tokens))
            rest &= ~tokens
    return [*groups, Group("the rest of the sentence", rest)]


def _table(gaze: Gaze, groups: Sequence[Group]) -> Html:
    layers, heads, _ = gaze.shares.shape
    by_head = layers * heads <= _ROWS
    names = ["layer", "head"] if by_head else ["layer (mean of its heads)"]
    head = element(
        "tr",
        [element("th", name, scope="col") for name in names],
        [element("th", isolated(group.name), scope="col") for group in groups],
    )
    rows = []
    for layer in range(layers):
        each = gaze.shares[layer] if by_head else gaze.shares[layer].mean(axis=0)[None]
        for number, shares in enumerate(each, start=1):
            places = [layer + 1, number] if by_head else [layer + 1]
            sums = [f"{shares[group.tokens].sum():.1%}" for group in groups]
            rows.append(
                element(
                    "tr",
                    [element("td", place, class_="number") for place in places],
                    [element("td", text, class_="number") for text in sums],
                )
            )
    table = element("table", element("thead", head), element("tbody", rows))
    return element(
        "details", element("summary", "Sums as a table"), element("div", table, class_="scroll")
    )
