"""The suite's own guard: it fails a test for each thing that no test may do, and for no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent

# Each is the body of a test, and what its failure must say; none for what is allowed.
BODIES = {
    "connects": ("socket.create_connection(('192.0.2.1', 9), timeout=1)", "socket.connect|192.0.2"),
    "asks for a name": ("socket.getaddrinfo('example.invalid', 80)", "socket.getaddrinfo"),
    "connects and hides it": (
        "with contextlib.suppress(OSError):\n        socket.getaddrinfo('example.invalid', 80)",
        "socket.getaddrinfo",
    ),
    "talks to this machine": ("socket.getaddrinfo('localhost', 80)", "'localhost' is asked for"),
    "starts a program": ("subprocess.run(['/bin/true'])", "subprocess.Popen: '/bin/true'"),
    "starts a shell": ("os.system('true')", "os.system"),
    "becomes a program": ("os.execv('/bin/true', ['true'])", "os.exec"),
    "writes elsewhere": ("open(ELSEWHERE, 'w')", "open: .* is not below the test's folder"),
    "appends elsewhere": ("os.open(ELSEWHERE, os.O_APPEND | os.O_CREAT)", "open: "),
    "makes a folder": ("os.mkdir(ELSEWHERE)", "os.mkdir"),
    "removes a file": ("os.remove(ELSEWHERE)", "os.remove"),
    "moves a file out": ("open('a', 'w').close()\n    os.rename('a', ELSEWHERE)", "os.rename"),
    "reaches out by a link": (
        "(tmp_path / 'a').symlink_to(os.path.dirname(ELSEWHERE)); open(tmp_path / 'a' / 'x', 'w')",
        "open: ",
    ),
    "writes in a child": (
        "subprocess.run([sys.executable, '-c', 'open(%r, \"w\")' % ELSEWHERE])",
        "in a child: open",
    ),
    "connects in a child": (
        "subprocess.run([sys.executable, '-c', 'import socket;"
        ' socket.getaddrinfo("example.invalid", 1)\'])',
        "in a child: socket.getaddrinfo",
    ),
    "writes in its folder": ("(tmp_path / 'a' / 'b').mkdir(parents=True)", None),
    "removes its folder": ("(tmp_path / 'a').mkdir(); shutil.rmtree(tmp_path)", None),
    "reads anywhere": ("open(__file__).close(); open(os.devnull, 'w').close()", None),
    "starts Python": ("subprocess.run([sys.executable, '-c', 'pass'], check=True)", None),
    "uses temporary files": ("tempfile.TemporaryFile().close()", None),
}


def named(body: str) -> str:
    return "test_" + re.sub(r"\W", "_", body)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run all of them in a test run of their own, and return what that says."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.confinement"]\n')
    lines = "".join(
        f"def {named(b)}(tmp_path, monkeypatch):\n    monkeypatch.chdir(tmp_path)\n    {code}\n\n"
        for b, (code, _) in BODIES.items()
    )
    elsewhere = folder / "elsewhere"
    imports = "import contextlib, os, shutil, socket, subprocess, sys, tempfile\nimport pytest\n"
    local = "@pytest.mark.localhost\ndef test_local(tmp_path):\n    socket.getaddrinfo('::1', 1)\n"
    (folder / "test_it.py").write_text(f"{imports}ELSEWHERE = {str(elsewhere)!r}\n{lines}{local}")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-rA",
            "--tb=short", "--basetemp", str(folder / "base"), str(folder / "test_it.py"),
        ],
        cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert not elsewhere.exists(), "what was refused was done"
    return done.stdout + done.stderr


@pytest.mark.parametrize("body", BODIES)
def test_what_a_test_must_not_do_fails_it(body: str, said: str) -> None:
    wanted = BODIES[body][1]
    assert (f"PASSED test_it.py::{named(body)}\n" in said) == (wanted is None), said
    if wanted is not None:
        assert re.search(rf"FAILED test_it\.py::{named(body)}\b", said), said
        section = said.split(f"_ {named(body)} _", 1)[1].split("\n____", 1)[0]
        assert "a test must not do this" in section and re.search(wanted, section), section
        assert "test_it.py:" in section or "in a child" in section, "where it came from"


def test_a_server_of_its_own_may_be_talked_to(said: str) -> None:
    assert "PASSED test_it.py::test_local\n" in said, said
