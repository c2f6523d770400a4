"""A browser for the tests of pages, and trees to be shown in it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmarks.chromium import Browser, BrowserError, Page, browser, find_chromium

NEEDED = "KBERT_BROWSER"  # "required": a missing browser is a failure, not a skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; a test that asks for it is skipped where none is installed."""
    if find_chromium() is None and os.environ.get(NEEDED) != "required":
        pytest.skip(
            "no Chromium is installed: apt-get install chromium, or name it, KBERT_CHROMIUM"
        )
    try:
        with browser() as running:
            running.call("Browser.getVersion")
            yield running
    except BrowserError as error:
        pytest.fail(f"the browser does not work: {error}")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page of 1440 pixels, in light colours."""
    opened = chromium.page()
    opened.resize(1440)
    opened.media()
    yield opened
    opened.close()
