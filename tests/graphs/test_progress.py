"""What somebody who waits is shown: a bar on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from graphs.progress import Progress, Stages, reading


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = [Progress("reading", n, 100) for n in (10, 60, 100)] + [Progress("sorting", 1, 0)]
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stream)
        with Stages(say=say) as stages:
            for step in steps:
                stages(step)
            stages.note("hello")
        said = stream.getvalue()
        assert "note: hello\n" in said
        assert ("%|" in said) == stream.isatty()
        lines = [line for line in said.replace("\r", "\n").splitlines() if line.endswith(" s")]
        assert [line.split(":")[0] for line in lines] == ["reading", "sorting"]


def test_a_stage_that_failed_is_not_called_done() -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), Stages(say=said.append) as stages:
        stages(Progress("reading", 1, 2))
        raise KeyboardInterrupt
    assert said == []


def test_only_a_large_file_has_a_bar_and_only_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = tmp_path / "small.spo", tmp_path / "large.spo"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(9 << 20)
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stream)
        for path in (small, large, tmp_path / "absent", "cn_dbpedia", "\0"):
            with reading(str(path)) as progress:
                assert (progress is not None) == (stream.isatty() and path == large)
                if progress is not None:
                    progress(9 << 20)
        assert ("reading large.spo" in stream.getvalue()) == stream.isatty()
