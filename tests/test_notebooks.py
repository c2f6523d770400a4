"""The notebooks of the documentation say what their cells give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.notebooks import execute, read

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOKS = sorted(path.name for path in DOCS.glob("kbert*.ipynb"))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_outputs_are_those_of_today(name: str) -> None:
    written = read(DOCS / name)
    again = json.loads(json.dumps(execute(written)))
    for cell, fresh in zip(written["cells"], again["cells"], strict=True):
        assert cell == fresh, f"docs/{name}: python -m tests.notebooks docs/{name}"
    assert len((DOCS / name).read_bytes()) < 200_000
    assert {"nbformat": 4, "nbformat_minor": 5}.items() <= written.items()
    identities = [cell["id"] for cell in written["cells"]]
    assert len(set(identities)) == len(identities) > 3


def test_a_cell_shows_its_last_value_and_what_it_prints() -> None:
    def cell(source: str) -> dict[str, object]:
        return {"cell_type": "code", "source": [source]}

    class_ = (
        "class A:\n    def _repr_html_(self):\n        return '<b>'\n    __repr__ = lambda s: 'A'"
    )
    cells = [cell("x = 2\nprint(x)\nx + 1"), cell(f"{class_}\nA()"), cell("x = 1;None")]
    found = execute({"cells": [{"cell_type": "markdown"}, *cells]})["cells"]
    assert [each.get("execution_count") for each in found] == [None, 1, 2, 3]
    assert [out["output_type"] for out in found[1]["outputs"]] == ["stream", "execute_result"]
    assert found[1]["outputs"][0]["text"] == ["2\n"]
    assert found[1]["outputs"][1]["data"] == {"text/plain": ["3"]}
    assert found[2]["outputs"][0]["data"] == {"text/html": ["<b>"], "text/plain": ["A"]}
    assert found[3]["outputs"] == []
