"""Run a command as a user does, without a process of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from graphs.__main__ import main

LABEL = "http://www.w3.org/2000/01/rdf-schema#label"


class Done(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    def run(*arguments: object, stdin: str | bytes = b"") -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return run


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of texts."""
    lines = [
        "北京\t首都\t中国",
        "北京\t是\t城市",
        "北京\t简称\t京",
        "上海\t是\t城市",
        "Apple\tis\tfruit",
    ]
    file = tmp_path_factory.mktemp("plain") / "kg.spo"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def rdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph with names, two of them alike."""
    lines = [
        f'<http://x/texas> <{LABEL}> "Paris"@en',
        "<http://x/texas> <http://x/locatedIn> <http://x/Texas>",
        f'<http://x/france> <{LABEL}> "Paris"@fr',
        f'<http://x/france> <{LABEL}> "巴黎"@zh',
        "<http://x/france> <http://x/capitalOf> <http://x/France>",
        "<http://x/france> <http://x/river> <http://x/Seine>",
        '<http://x/france> <http://x/area> "105"^^<http://www.w3.org/2001/XMLSchema#integer>',
    ]
    file = tmp_path_factory.mktemp("rdf") / "kg.nt"
    file.write_text("".join(f"{line} .\n" for line in lines), encoding="utf-8")
    return file
