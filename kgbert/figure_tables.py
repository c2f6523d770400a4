"""Figures as tables: aligned text for a person, tab-separated lines for a program.

Ranks are told under the realistic policy unless a row says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kgbert.ranks import POLICIES, TiePolicy

if TYPE_CHECKING:
    from kgbert.classification import ClassificationMetrics
    from kgbert.intervals import Interval, MeanSd
    from kgbert.metrics import RankMetrics

_NAMES: Final = {
    "mr": "MR",
    "mrr": "MRR",
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "average_precision": "AP",
    "calibration_error": "ECE",
}
_CLASSIFICATION: Final = (
    "accuracy",
    "f1",
    "roc_auc",
    "average_precision",
    "brier",
    "calibration_error",
)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of rows, the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def named(name: str) -> str:
    """Return what a figure is called in a table."""
    return _NAMES.get(name, name.replace("_", " ").capitalize())


def shown(name: str, value: float | None) -> str:
    """Write one figure: mean ranks with 2 places, all others with 4."""
    if value is None:
        return "-"
    return f"{value:.2f}" if name == "mr" else f"{value:.4f}"


def policy_table(found: RankMetrics, *, intervals: Mapping[str, Interval]) -> str:
    """Draw the figures of all queries: a row a policy of ties, the gap, and intervals."""
    names = list(found.realistic)
    rows = [["ties", *map(named, names)]]
    for policy in POLICIES:
        rows.append([policy, *(shown(name, found.figures[policy][name]) for name in names)])
    rows.append(["tie gap", *(shown(name, found.tie_gap[name]) for name in names)])
    for end, label in enumerate(("95 % from", "95 % to")):
        rows.append([label, *(shown(name, intervals[name][end]) for name in names)])
    return aligned(rows)


def rank_table(title: str, groups: Mapping[str, RankMetrics], *, count: str = "queries") -> str:
    """Draw a row a group."""
    names = list(next(iter(groups.values())).realistic)
    rows = [[title, *map(named, names), count]]
    for group, found in groups.items():
        values = (shown(name, found.realistic[name]) for name in names)
        rows.append([group, *values, f"{found.queries:,}"])
    return aligned(rows)


def bounds_table(bounds: Mapping[TiePolicy, Mapping[str, Interval]]) -> str:
    """Draw the least and the greatest value that each figure can still take, a row a policy."""
    names = list(bounds["realistic"])
    rows = [["ties", *map(named, names)]]
    for policy in POLICIES:
        ends = bounds[policy]
        cells = (
            f"{shown(name, ends[name].low)} to {shown(name, ends[name].high)}" for name in names
        )
        rows.append([policy, *cells])
    return aligned(rows)


def classification_table(title: str, groups: Mapping[str, ClassificationMetrics]) -> str:
    """Draw a row a way to decide, or a group."""
    rows = [[title, *map(named, _CLASSIFICATION), "triples"]]
    for group, found in groups.items():
        cells = (shown(name, getattr(found, name)) for name in _CLASSIFICATION)
        rows.append([group, *cells, f"{found.triples:,}"])
    return aligned(rows)


def changes_table(title: str, rows_of: Mapping[str, Mapping[str, float]]) -> str:
    """Draw figures of choices, and how far each is from the first one."""
    first = next(iter(rows_of.values()))
    rows = [[title, *(cell for name in first for cell in (named(name), "change"))]]
    for choice, figures in rows_of.items():
        cells = []
        for name, value in figures.items():
            change = value - first[name]
            sign = "" if choice == next(iter(rows_of)) else _signed(name, change)
            cells += [shown(name, value), sign]
        rows.append([choice, *cells])
    return aligned(rows)


def seeds_table(found: Mapping[str, MeanSd]) -> str:
    """Draw mean ± sample standard deviation of each figure over several runs."""
    rows = [["runs", "mean", "sd", "n"]]
    for name, each in found.items():
        rows.append([named(name), shown(name, each.mean), shown(name, each.sd), str(each.n)])
    return aligned(rows)


def rank_lines(groups: Mapping[str, RankMetrics]) -> str:
    """Write groups as tab-separated lines under a header, all figures under all policies."""
    first = next(iter(groups.values()))
    names = [(policy, name) for policy in POLICIES for name in first.figures[policy]]
    head = ["name", "queries", "candidates", "tied", *(f"{p}.{name}" for p, name in names)]
    lines = ["\t".join(head)]
    for group, found in groups.items():
        cells = [_cell(group), str(found.queries), repr(found.candidates), repr(found.tied)]
        cells += [repr(found.figures[policy][name]) for policy, name in names]
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def classification_lines(groups: Mapping[str, ClassificationMetrics]) -> str:
    """Write groups as tab-separated lines under a header; a figure that there is not is empty."""
    names = list(next(iter(groups.values())).to_mapping())
    lines = ["\t".join(["name", *names])]
    for group, found in groups.items():
        values = found.to_mapping().values()
        lines.append("\t".join([_cell(group), *("" if v is None else repr(v) for v in values)]))
    return "\n".join(lines) + "\n"


def _signed(name: str, change: float) -> str:
    text = shown(name, abs(change))
    return f"{'-' if change < 0 else '+'}{text}"


def _cell(text: str) -> str:
    """Keep a name within its cell."""
    return " ".join(text.split("\t")).replace("\n", " ").replace("\r", " ")
