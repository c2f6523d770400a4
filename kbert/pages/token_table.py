"""Every token of a tree as a table: what the figures show, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kbert.pages.markup import Html, element, isolated
from kbert.tree import SentenceTree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COLUMNS = ("token", "piece", "soft position", "segment", "part of", "sees tokens")


def token_table(
    tree: SentenceTree, labels: Sequence[str], visible: NDArray[np.bool_], sees: Sequence[str]
) -> Html:
    """Return the table, one row a token; spans of tokens are half-open."""
    parts = ["sentence"] * len(tree)
    for node in tree.nodes:
        parts[node.start : node.stop] = [f"mention {node.entity}"] * (node.stop - node.start)
        for branch in node.branches:
            said = f"fact {branch.fact.relation}: {branch.fact.tail}"
            parts[branch.start : branch.stop] = [said] * (branch.stop - branch.start)
    counts = visible.sum(axis=1).tolist()
    rows = [
        element(
            "tr",
            element("td", token, class_="number"),
            element("td", isolated(labels[token])),
            element("td", tree.soft_positions[token], class_="number"),
            element("td", tree.segments[token], class_="number"),
            element("td", isolated(parts[token])),
            element("td", f"{counts[token]}: {sees[token]}"),
        )
        for token in range(len(tree))
    ]
    head = element("tr", [element("th", name, scope="col") for name in _COLUMNS])
    table = element("table", element("thead", head), element("tbody", rows))
    return element(
        "details",
        element("summary", f"All {len(tree)} tokens as a table"),
        element("div", table, class_="scroll"),
    )
