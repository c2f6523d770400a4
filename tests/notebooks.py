"""Execute a notebook of the documentation, and keep its outputs in it.

`python -m tests.notebooks docs/kbert.ipynb` runs the cells in order in one fresh namespace, as
Jupyter does, and writes what they print and the value of a last expression: as text, and as HTML
where it has `_repr_html_`. No Jupyter is needed, and a test holds the outputs to what the cells
give today. The file is that of nbformat 4.5.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from kbert import console

_LONGEST: Final = 2000  # characters of a value's text


def execute(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook with the outputs of its cells. Raises what a cell raises."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells = []
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            outputs = _run("".join(cell["source"]), namespace, count=count)
            cell = {**cell, "execution_count": count, "outputs": outputs}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _run(source: str, namespace: dict[str, Any], *, count: int) -> list[dict[str, Any]]:
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(ast.Module(body, []), "<cell>", "exec"), namespace)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        shown = {"data": _shown(value), "execution_count": count, "metadata": {}}
        outputs.append({**shown, "output_type": "execute_result"})
    return outputs


def _shown(value: Any) -> dict[str, list[str]]:
    text = repr(value)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    data = {"text/plain": [text]}
    html = getattr(value, "_repr_html_", None)
    return {"text/html": [html()], **data} if html is not None else data


def read(file: Path) -> dict[str, Any]:
    """Read a notebook."""
    notebook: dict[str, Any] = json.loads(file.read_bytes())
    return notebook


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(prog="python -m tests.notebooks", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    file: Path = parser.parse_args(arguments).file
    text = json.dumps(execute(read(file)), ensure_ascii=False, indent=1, sort_keys=True)
    file.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
