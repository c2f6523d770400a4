"""Figures: well-formed, named, in the ink of the page, and left out where they cannot be drawn."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest

from kbert.run_pages import plots
from kbert.run_pages.plots import Series
from tests.kbert.run_pages.reading import Reader, check_svg

HOSTILE = "<script>alert(1)</script> \"'& $\\frac{1}$ 北京"


@pytest.fixture(autouse=True)
def matplotlib() -> None:
    pytest.importorskip("matplotlib")


def test_lines_are_a_named_figure_in_the_ink_of_the_page() -> None:
    series = [Series("train", [1, 2, 3], [3.0, 2.0, 1.5]), Series(HOSTILE[:-3], [1, 3], [2.5, 2.0])]
    found = plots.lines(series, title=HOSTILE, x="epoch", y="loss", key="k")
    assert found is not None
    check_svg(found)
    read = Reader(found)
    (svg,) = read.named("svg")
    assert svg["aria-label"] is not None
    assert svg["aria-label"].startswith(HOSTILE) and "train ends at 1.5" in svg["aria-label"]
    assert not read.named("script") and not read.named("style")
    assert not any("style" in attributes for _, attributes in read.elements)
    assert "#000000" not in found and "currentColor" in found
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert all(str(each).startswith("k-") for each in ids) and len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', found))
    assert used and used <= set(ids)
    assert "epoch" in read.text and "\\frac" in read.text


def test_the_same_figure_has_the_same_bytes() -> None:
    def draw() -> Any:
        return plots.lines([Series("a", [1, 2], [1.0, 2.0])], title="t", x="x", y="y", key="k")

    assert draw() == draw()


def test_bars_tell_their_values() -> None:
    found = plots.bars(["1", "2–3"], [4, 7], title="Ranks", x="rank", y="queries", key="r")
    assert found is not None
    check_svg(found)
    assert 'aria-label="Ranks: 1: 4, 2–3: 7"' in found


def test_nothing_is_drawn_of_nothing_or_without_matplotlib(monkeypatch: Any) -> None:
    assert plots.lines([Series("a", [], [])], title="t", x="x", y="y", key="k") is None
    assert plots.bars([], [], title="t", x="x", y="y", key="k") is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not plots.available()
    assert plots.lines([Series("a", [1], [1.0])], title="t", x="x", y="y", key="k") is None
    assert plots.bars(["a"], [1], title="t", x="x", y="y", key="k") is None


def test_no_state_of_matplotlib_is_changed() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.bars(["a"], [1], title="t", x="x", y="y", key="k")
    assert dict(matplotlib.rcParams) == before
