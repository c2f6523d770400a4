"""The tables of the benchmarks of pre-training, from their result files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.report import table

OURS: Final = "ours"
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
