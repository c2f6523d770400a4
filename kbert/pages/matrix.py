"""The visible matrix as a grid: row q and column k are filled where token q sees token k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kbert.pages.markup import Html, element
from kbert.widths import fitted, width

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAMED: Final = 64  # tokens up to which rows and columns have names


def runs(row: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the half-open spans of True in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def matrix_figure(visible: NDArray[np.bool_], labels: Sequence[str], trunk: Sequence[bool]) -> Html:
    """Draw the matrix (L, L) with the tokens' names at its edges, if they are few enough."""
    length = len(visible)
    cell = 15 if length <= 32 else 12 if length <= _NAMED else 7 if length <= 128 else 4
    named = length <= _NAMED
    margin = max(width(fitted(label, 8)) for label in labels) * 7 + 8 if named else 4
    drawn = [element("rect", class_="ground", x=margin, y=margin, width=length * cell,
                     height=length * cell)]  # fmt: skip
    path = "".join(
        f"M{margin + start * cell} {margin + row * cell}h{(stop - start) * cell}v{cell}"
        f"h-{(stop - start) * cell}z"
        for row in range(length)
        for start, stop in runs(visible[row])
    )
    drawn.append(element("path", class_="cells", d=path))
    drawn.append(element("g", class_="lit"))
    if named:
        drawn.append(_grid(length, margin=margin, cell=cell))
        drawn += _names(labels, trunk, margin=margin, cell=cell)
    size = margin + length * cell + 2
    share = visible.mean()
    return element(
        "svg",
        *drawn,
        class_="matrix",
        role="img",
        aria_label=f"Visible matrix of {length} tokens; {share:.0%} of the pairs see each other",
        viewBox=f"0 0 {size} {size}",
        width=size,
        height=size,
        data_margin=margin,
        data_cell=cell,
    )


def _grid(length: int, *, margin: int, cell: int) -> Html:
    size = length * cell
    lines = "".join(
        f"M{margin} {margin + at}h{size}M{margin + at} {margin}v{size}"
        for at in range(0, size + 1, cell)
    )
    return element("path", class_="grid", d=lines)


def _names(labels: Sequence[str], trunk: Sequence[bool], *, margin: int, cell: int) -> list[Html]:
    names = []
    for number, (label, is_trunk) in enumerate(zip(labels, trunk, strict=True)):
        at = margin + number * cell + cell / 2
        kind = "name" if is_trunk else "name branch"
        common: dict[str, Any] = {"class_": kind, "data_row": number}
        text = fitted(label, 8)
        names.append(element("text", text, x=margin - 4, y=at + 4, text_anchor="end", **common))
        if width(text) <= 2:  # one character stands upright
            common |= {"x": at, "y": margin - 4, "text_anchor": "middle"}
        else:
            common["transform"] = f"translate({at + 4:.1f} {margin - 4}) rotate(-90)"
        names.append(element("text", text, **common))
    return names


def sees(visible: NDArray[np.bool_]) -> list[str]:
    """Write whom each token sees as spans, `0-4 7-9` half-open, for the page's script."""
    return [" ".join(f"{start}-{stop}" for start, stop in runs(row)) for row in visible]
