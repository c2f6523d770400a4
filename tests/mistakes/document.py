"""`python -m tests.mistakes.document`: write the catalogue of mistakes to docs/errors.md."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.mistakes.catalogue import MISTAKES
from tests.mistakes.place import Mistake

FILE: Final = Path(__file__).parents[2] / "docs" / "errors.md"
_HEAD: Final = """\
# What the programs say to mistakes

A mistake is answered by one line on standard error and exit status 2; nothing is written. What is
not in this list and not a line of this kind is a defect of ours. `…` stands for what differs from
machine to machine. The list is made from the table that the tests go through
(`python -m tests.mistakes.document`).
"""


def render() -> str:
    """Return the document."""
    parts = [_HEAD]
    for command in dict.fromkeys(mistake.command for mistake in MISTAKES):
        lines = [_entry(mistake) for mistake in MISTAKES if mistake.command == command]
        parts.append(f"## python -m {command}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _entry(mistake: Mistake) -> str:
    typed = mistake.line.partition(" ")[2]
    asked = f" (`{typed}`)" if typed else ""
    return f"- {mistake.what}{asked}:\n  {_code('error: ' + mistake.says)}"


def _code(text: str) -> str:
    """Quote as code; what holds backquotes itself needs two of them."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
