"""The example pages of the documentation are what the command writes."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.example_pages import EXAMPLES, PAPER, write_page
from kbert.pages.page import document

MAKE = "python -m benchmarks.example_pages"


def test_the_papers_example_is_what_the_command_writes(tmp_path: Path) -> None:
    file = write_page(PAPER, tmp_path)
    written = (EXAMPLES / "paper.html").read_text(encoding="utf-8")
    assert file.read_text(encoding="utf-8") == written, MAKE


def test_every_example_has_todays_style_and_script_a_picture_and_no_path_of_a_machine() -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', document("x"))
    assert policy is not None
    for page in (EXAMPLES / f"{name}.html" for name in ("chnsenticorp", "paper", "rdf")):
        html = page.read_text(encoding="utf-8")
        assert policy.group(1) in html, MAKE
        assert not re.search(r"/(home|root|tmp|work|Users)/", html)
        assert page.stat().st_size < 300_000
        picture = page.with_suffix(".png")
        assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size < 400_000
