"""A whole page around the sections of a report, and its way to a file."""

from __future__ import annotations

from pathlib import Path

from graphs.errors import GraphError
from graphs.replacing import replacing
from kbert.errors import RunError
from kbert.pages.markup import Child, Html, element, isolated
from kbert.pages.page import document
from kbert.run_pages.style import STYLE


def report(title: str, *parts: Child) -> Html:
    """Return a page without scripts under a heading."""
    heading = element("h1", isolated(title))
    return document(title, heading, *parts, more_style=STYLE, scripted=False)


def write_document(file: Path, page: Html) -> None:
    """Write a page, whole or not at all. Raises `RunError`."""
    try:
        with replacing(file) as stream:
            stream.write(page.encode())
    except GraphError as error:
        raise RunError(str(error)) from None
