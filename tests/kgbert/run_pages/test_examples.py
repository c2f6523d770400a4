"""The example pages and the notebook of the documentation are whole, small, and of no machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.kbert.run_pages.reading import check_page

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ("kbert-run", "kgbert-run", "kgbert-evaluation", "kgbert-classification", "kgbert-triple")
PLACES = re.compile(r"/(?:tmp|home|root|work|Users)/")


@pytest.mark.parametrize("name", PAGES)
def test_example_pages_are_whole_and_of_no_machine(name: str) -> None:
    text = (DOCS / "examples" / f"{name}.html").read_text(encoding="utf-8")
    found = check_page(text)
    assert not PLACES.search(text) and len(text) < 100_000
    for attributes in found.named("a"):
        assert (DOCS / "examples" / str(attributes["href"])).is_file()


def test_the_notebook_was_executed_without_errors() -> None:
    text = (DOCS / "kgbert.ipynb").read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output["output_type"] for cell in cells for output in cell["outputs"]]
    assert kinds and "error" not in kinds
    assert not PLACES.search(text) and len(text) < 200_000
    assert "rank" in text and "nearest training triples" in text
