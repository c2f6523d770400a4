"""Run the cells of a notebook and keep what they show: `python -m tests.run_notebook FILE`.

The cells of code run in one process, in a folder that is removed afterwards. What they print, and
what the last line of a cell comes to, is written beside them in the notebook's own format (nbformat
4.5), so no server and no library of notebooks is needed. An error ends the run, and nothing is
written.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kbert import console
from kbert.errors import DataError

LONGEST = 4_000  # characters that a cell may print


def run_cells(notebook: dict[str, Any]) -> None:
    """Run all cells of code, and put their outputs in place of earlier ones."""
    names: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                number += 1
                cell["execution_count"] = number
                cell["outputs"] = _run(_text(cell["source"]), names, number=number)


def _run(source: str, names: dict[str, Any], *, number: int) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(tree, f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue()[:LONGEST]:
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if value is not None:
        shown = {"text/plain": _lines(repr(value)[:LONGEST])}
        if hasattr(value, "_repr_html_"):
            shown["text/html"] = _lines(str(value._repr_html_()))
        outputs.append({"output_type": "execute_result", "execution_count": number, "data": shown,
                        "metadata": {}})  # fmt: skip
    return outputs


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(prog="python -m tests.run_notebook", description=__doc__)
    parser.add_argument("file", metavar="FILE", type=Path, help="a notebook, which is overwritten")
    options = parser.parse_args(arguments)
    return console.guard(lambda: _main(options.file))


def _main(file: Path) -> None:
    try:
        notebook = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", file=file) from None
    whole = file.resolve()
    run_cells(notebook)
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    whole.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
