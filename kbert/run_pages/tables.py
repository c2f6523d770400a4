"""Tables of a report: figures, settings, and what a confusion matrix counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kbert.pages.markup import Child, Html, element, isolated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.run_pages.intervals import Estimate

_LONGEST: Final = 2_000  # characters of a value that are shown
_SHORT: Final = 300  # characters up to which a cell grows with its text
MOST_LABELS: Final = 24


def beside(*children: Child) -> Html:
    """Return children beside each other, as far as the window has room."""
    return element("div", *children, class_="beside")


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Child]]) -> Html:
    """Return a table; the first cell of each row is its heading.

    Columns stand to the right where most of their cells are figures; texts are not moved there.
    """
    cells = [list(row) for row in rows]
    right = [2 * sum(_is_figure(row[at]) for row in cells) > len(cells) for at in range(len(head))]
    kinds = ["number" if at and to_right else None for at, to_right in enumerate(right)]
    top = [
        element("th", name, scope="col", class_=kind)
        for name, kind in zip(head, kinds, strict=True)
    ]
    body = [
        element("tr", element("th", _cell(row[0]), scope="row"),
                [element("td", _cell(cell), class_=_kind(cell, right=to_right))
                 for cell, to_right in zip(row[1:], right[1:], strict=True)])
        for row in cells
    ]  # fmt: skip
    return _scrolling(caption, element("tr", top) if any(head) else None, body, class_="figures")


def _scrolling(caption: str, head: Child, body: Child, *, class_: str) -> Html:
    """Return a table that is moved under the finger, or by the keyboard, where it is too wide."""
    whole = element(
        "table",
        element("caption", caption),
        None if head is None else element("thead", head),
        element("tbody", body),
        class_=class_,
    )
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _kind(cell: Child, *, right: bool) -> str | None:
    if not right:
        return None
    return "number" if isinstance(cell, Html) or not cell or _is_figure(cell) else "number words"


def _is_figure(cell: Child) -> bool:
    if not isinstance(cell, str) or isinstance(cell, Html) or not cell:
        return False
    return not cell.replace(" to ", "").replace(" s", "").strip("+-0123456789.,%e–")


def facts(caption: str, values: Mapping[str, Any]) -> Html:
    """Return a table of names and values; a value of None is a dash."""
    rows = [[name.replace("_", " "), written(value)] for name, value in values.items()]
    return table(caption, ("", ""), rows) if rows else Html("")


def settings(values: Mapping[str, Any]) -> Html:
    """Return all settings, folded up, less `output`: a run may have been moved since."""
    rows = [
        [f"--{name.replace('_', '-')}", written(value)]
        for name, value in values.items()
        if name != "output"
    ]
    return element(
        "details",
        element("summary", f"{len(rows)} settings"),
        table("Settings", ("flag", "value"), rows),
    )


def estimates(found: Mapping[str, Estimate], *, examples: int) -> Html:
    """Return figures with their intervals."""
    rows = [
        [name.replace("_", " "), f"{each.value:.4f}", f"{each.low:.4f} to {each.high:.4f}"]
        for name, each in found.items()
    ]
    caption = f"On {examples:,} test examples; intervals hold 95 % of 1,000 bootstrap draws"
    return table(caption, ("figure", "value", "interval"), rows)


def confusion(counts: NDArray[np.int64], labels: Sequence[str]) -> Html:
    """Return a confusion matrix whose cells are the darker the greater their share of the row.

    Of many labels those are shown that are confused most.
    """
    off = counts - np.diag(np.diag(counts))
    order = np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:MOST_LABELS]
    shown = np.sort(order).tolist()
    totals = counts.sum(axis=1)
    rows = []
    for row in shown:
        cells = []
        for column in shown:
            count = int(counts[row, column])
            share = count / totals[row] if totals[row] else 0.0
            cells.append(
                element("td", f"{count:,}",
                        class_=f"{'right' if row == column else 'wrong'} share-{round(10 * share)}")
            )  # fmt: skip
        total = element("td", f"{int(totals[row]):,}")
        rows.append(element("tr", element("th", isolated(labels[row]), scope="row"), cells, total))
    names = [element("th", isolated(labels[column]), scope="col") for column in shown]
    head = element("tr", element("th", "right ↓  said →", scope="col"), names,
                   element("th", "all", scope="col"))  # fmt: skip
    less = "" if len(shown) == len(labels) else f"; the {len(shown)} labels confused most"
    caption = f"Confusion: a row for each right label, a column for each that was said{less}"
    return _scrolling(caption, head, rows, class_="figures confusion")


def written(value: Any) -> str:
    """Write a value of JSON for a person."""
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(written, value))
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def share(value: float | None) -> str:
    """Write a share as a percentage; None is a dash."""
    return "–" if value is None else f"{value:.1%}"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def long_text(text: str) -> Html:
    """Return a text in a box that is scrolled, so that it takes no more room than it may."""
    return element("div", isolated(text), class_="long", tabindex=0)


def _cell(child: Child) -> Child:
    if not isinstance(child, str) or isinstance(child, Html):
        return child
    return isolated(child) if len(child) <= _SHORT else long_text(child)
