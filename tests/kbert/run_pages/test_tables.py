"""Tables of reports: what stands where."""

from __future__ import annotations

import pytest

from kbert.run_pages.tables import facts, table


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["1", "2"], True),
        (["0.97 to 1.79", "–", "12%"], True),
        (["1,234", "text"], False),
        (["text", "12.5", "1.2"], True),
        (["a long sentence about the training", "seed1", "1"], False),
    ],
)
def test_columns_of_figures_stand_to_the_right(cells: list[str], right: bool) -> None:
    found = str(table("caption", ("", "value"), [["name", cell] for cell in cells]))
    assert found.count('<td class="number') == (len(cells) if right else 0)
    words = sum(not any(map(str.isdigit, cell)) and cell != "–" for cell in cells)
    assert found.count('<td class="number words">') == (words if right else 0)  # these wrap
    assert ('<th scope="col" class="number">' in found) == right


def test_a_table_without_rows_has_its_head() -> None:
    assert "number" not in str(table("caption", ("", "value"), []))


def test_facts_that_are_texts_are_not_moved() -> None:
    found = str(facts("Circumstances", {"run": "seed1", "training": "MRR of 500", "seed": 1}))
    assert 'class="number"' not in found and "MRR of 500" in found
