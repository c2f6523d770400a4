"""The browser of the tests of pages."""

from __future__ import annotations

from tests.kbert.pages.conftest import chromium, page

__all__ = ["chromium", "page"]
