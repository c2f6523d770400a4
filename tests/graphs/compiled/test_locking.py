from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from graphs import GraphError
from graphs.compiled.locking import locked


def silent() -> None:
    """Wait in silence."""


def test_a_free_lock_is_taken_and_gone_afterwards(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    for _ in range(3):
        with locked(lock, waiting=pytest.fail) as waited:
            assert lock.exists() and not waited
        assert not lock.exists()


def test_an_error_within_releases_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), locked(lock, waiting=silent):
        raise ZeroDivisionError
    assert not lock.exists()


def test_a_lock_file_that_was_left_holds_nobody_up(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    with locked(lock, waiting=pytest.fail) as waited:
        assert not waited
    assert not lock.exists()


def test_threads_take_turns_and_know_who_waited(tmp_path: Path) -> None:
    lock, inside, waited, waits = tmp_path / "lock", [], [], []

    def work() -> None:
        for _ in range(25):
            with locked(lock, waiting=lambda: waits.append(1)) as had_to_wait:
                inside.append("in")
                time.sleep(0.0002)
                inside.append("out")
                waited.append(had_to_wait)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == ["in", "out"] * 150
    assert 0 < len(waits) <= sum(waited) < 150
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_went_away_with_its_holder_was_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is opened, its holder removes it, and only then is it locked."""
    lock, flock, opened = tmp_path / "lock", fcntl.flock, []

    def late(handle: int, how: int) -> None:
        if not opened:
            lock.unlink()
        opened.append(handle)
        flock(handle, how)

    monkeypatch.setattr("fcntl.flock", late)
    with locked(lock, waiting=pytest.fail) as waited:
        assert waited and lock.exists() and len(opened) == 2


def test_a_killed_process_loses_its_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from graphs.compiled.locking import locked\n"
        "with locked(Path(sys.argv[1]), waiting=print):\n"
        "    sys.stdout.write('in\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"in\n"
    threading.Timer(0.1, holder.kill).start()
    with locked(lock, waiting=silent) as waited:
        assert waited
    holder.wait()
    holder.stdout.close()
    assert not lock.exists()


def test_what_cannot_be_locked_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GraphError, match="absent: cannot be written: No such file"):
        locked(tmp_path / "absent" / "lock", waiting=silent).__enter__()

    def refuse(handle: int, how: int) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(GraphError, match=r"lock: cannot be locked: No locks available"):
        locked(tmp_path / "lock", waiting=silent).__enter__()
