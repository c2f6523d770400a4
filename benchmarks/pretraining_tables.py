"""The tables of the benchmarks of pre-training, from their result files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.report import table

OURS: Final = "ours"
PEER: Final = "transformers"
DENSE: Final = "ours, its batches, every place decoded"
PADDED: Final = "ours, its batches"
_COLLATORS: Final = ("transformers, pt", "transformers, np")
_MILLION: Final = 1e6


def data_table(content: Mapping[str, Any]) -> str:
    """Draw `pretraining_data.json`, a row for each corpus, relation and length."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell in content["cells"]:
        key = (cell["corpus"], cell["relation"], cell["max_length"])
        groups.setdefault(key, {})[cell["unit"]] = cell
    units = list(dict.fromkeys(cell["unit"] for cell in content["cells"]))
    rows = [["millions of tokens a second, one core", *units, "collator", "ours is faster by"]]
    for key, found in groups.items():
        rates = [_millions(found[unit], OURS) if unit in found else "" for unit in units]
        row = [", ".join(map(str, key)), *rates, "", ""]
        if "piece" in found:
            name, times = faster_collator(found["piece"])
            row[-2:] = [_millions(found["piece"], name), f"{times:.1f}"]
        rows.append(row)
    return table(rows)


def faster_collator(cell: Mapping[str, Any]) -> tuple[str, float]:
    """Return the kind of collator that was faster in a cell, and how many times we are."""
    times = {name: float(cell["times"][name]["median"]) for name in _COLLATORS}
    name = min(times, key=lambda each: times[each])
    return name, times[name]


def _millions(cell: Mapping[str, Any], name: str) -> str:
    return f"{cell['tokens_per_second'][name]['median'] / _MILLION:.1f}"


def step_tables(content: Mapping[str, Any]) -> str:
    """Draw `pretraining_step.json`, a table for each cell that was measured."""
    parts = []
    for cell in content["cells"]:
        title = cell_title(cell)
        if "measured" in cell:
            parts.append(step_table(cell, title=title))
        else:
            parts.append(f"{title}: {cell.get('skipped') or cell['failed']}")
    return "\n\n".join(parts)


def cell_title(cell: Mapping[str, Any]) -> str:
    """Name a cell."""
    parts = [f"BERT-{cell['size']}", cell["corpus"], cell["relation"], str(cell["max_length"])]
    if not cell["dropout"]:
        parts.append("no dropout")
    if cell["compile"]:
        parts.append("compiled")
    return ", ".join(parts)


def step_table(cell: Mapping[str, Any], *, title: str) -> str:
    """Draw one cell: rates, how many times the peer's each is, and the share of the peak."""
    kinds = cell["measured"]
    rows = [[f"{title}: real tokens a second", "padding", *kinds]]
    for name, way in cell["ways"].items():
        texts = [_rate_text(found, name) for found in kinds.values()]
        rows.append([name, f"{way['padding_share']:.0%}", *texts])
    return table(rows)


def _rate_text(found: Mapping[str, Any], name: str) -> str:
    text = f"{found['tokens_per_second'][name]['median']:,.0f}"
    if name in found["times_transformers"]:
        text += f" (×{found['times_transformers'][name]['median']:.2f})"
    if "mfu" in found:
        text += f", MFU {found['mfu'][name]['median']:.1%}"
    return text
