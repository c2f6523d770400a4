"""Every command that installing the package makes is a function that is there."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest

CONTENT = tomllib.loads(
    (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)
ENTRIES = CONTENT["project"]["scripts"]


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, function = ENTRIES[name].partition(":")
    assert name.partition("-")[0] == module.partition(".")[0] or module.startswith("graphs")
    with pytest.raises(SystemExit) as caught:
        getattr(importlib.import_module(module), function)(["--help"])
    assert caught.value.code == 0 and "usage:" in capsys.readouterr().out
