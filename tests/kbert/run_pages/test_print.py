"""A report in a browser: what is folded up on a screen stands on paper, and trees fit a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.chromium import Page
from kbert.run_page import write_page

pytestmark = pytest.mark.browser
_HEIGHT = "document.querySelector('section.settings details').getBoundingClientRect().height"


@pytest.fixture(scope="module")
def report(train: Callable[..., Path]) -> Path:
    """The report of a run that makes mistakes."""
    return write_page(train("classification", epochs=2, learning_rate=1e-6))


def test_settings_are_folded_up_on_a_screen_and_stand_on_paper(page: Page, report: Path) -> None:
    page.open(report)
    page.media()
    assert page.evaluate(_HEIGHT) < 60  # a line
    page.media(kind="print")
    assert page.evaluate(_HEIGHT) > 800


@pytest.mark.parametrize("width", [390, 1440])
def test_trees_of_mistakes_fit_the_window(page: Page, report: Path, width: int) -> None:
    page.media()
    page.resize(width)
    page.open(report)
    assert page.requests == [report.as_uri()] and page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.evaluate(
        "Array.from(document.querySelectorAll('.mistakes svg.tree'))"
        ".filter(tree => tree.checkVisibility())"
        ".map(tree => [tree.getBoundingClientRect().right, tree.parentElement.className])"
    )
    assert shown and {name for _, name in shown} == {"narrow" if width == 390 else "wide"}
    assert max(right for right, _ in shown) <= width
