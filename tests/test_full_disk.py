"""A disk that is really full, or takes no larger files: one line, and the old state stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

_CHECKPOINTS = """
import sys, torch
from pathlib import Path
from kbert import checkpoints, console
run = Path(sys.argv[1])
def work():
    for step in range(1, 99):
        size = 1000 if step == 1 else 200_000 * step
        checkpoints.write(run, step=step, state={}, tensors={"a": torch.ones(size)})
status = console.guard(work)
found = checkpoints.newest(run)
half = [path.name for path in run.iterdir() if path.name.startswith(".")]
print(status, bool(found.tensors()["a"].all()), half)
"""
_GRAPH = """
import sys
from pathlib import Path
import graphs
from kbert import console
place = Path(sys.argv[1])
def build(count):
    lines = (f"entity {n}\\tis\\tthing {n}\\n" for n in range(count))
    (place / "source.spo").write_text("".join(lines))
    return graphs.compile([place / "source.spo"], place / "graph", overwrite=True)
before = build(10).fingerprint
status = console.guard(lambda: build(40_000))
after = graphs.TripleStore.open(place / "graph").fingerprint
left = sorted(path.name for path in place.iterdir())
print(status, before == after, left)
"""
CASES = [
    (_CHECKPOINTS, "2 True []"),
    (_GRAPH, "2 True ['graph', 'source.spo']"),
]


def outcome(program: str, folder: Path, prelude: str) -> tuple[str, str]:
    """Run a program in a process of its own; return what it prints, and its errors."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", prelude + program, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(("program", "expected"), CASES, ids=["checkpoints", "graph"])
def test_files_that_may_not_grow(tmp_path: Path, program: str, expected: str) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({1 << 20}, {1 << 20}))"
    found, said = outcome(program, tmp_path / "place", limit)
    assert found == expected, said
    (line,) = said.splitlines()
    assert line.startswith("error: ") and "File too large" in line


_MOUNT = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
made = libc.unshare(0x00020000) == 0  # CLONE_NEWNS: nobody else sees it
made = made and libc.mount(b"none", b"/", None, 0x44000, None) == 0  # MS_REC, MS_PRIVATE
options = b"size=4m"
made = made and libc.mount(b"tmpfs", sys.argv[1].encode(), b"tmpfs", 0, options) == 0
if not made:
    sys.exit("cannot be mounted")
"""


@pytest.mark.parametrize(("program", "expected"), CASES, ids=["checkpoints", "graph"])
def test_a_small_disk(tmp_path: Path, program: str, expected: str) -> None:
    found, said = outcome(program, tmp_path / "place", _MOUNT)
    if "cannot be mounted" in said:
        pytest.skip("a small file system cannot be mounted here: that takes root")
    assert found == expected, said
    (line,) = said.splitlines()
    assert line.startswith("error: ") and "No space left on device" in line and "are free" in line
