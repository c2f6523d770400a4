"""Nothing but the old graph or the new one, whole, whatever happens while it is built."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import graphs
from graphs import GraphError, MentionIndex, TripleStore

OLD = [("old", "is", "old one")]
NEW = [("北京", "首都", "中国"), ("苹果", "类别", "水果"), ("北京", "首都", "中国")]
# Each with whether it is called often.
CALLS = {
    "os.fsync": True,
    "os.mkdir": False,
    "os.rename": False,
    "os.replace": False,
    "os.posix_fallocate": True,
    "io.open": True,
}


def save(path: Path, triples: list[tuple[str, str, str]]) -> Path:
    path.write_text("".join("\t".join(triple) + "\n" for triple in triples), encoding="utf-8")
    return path


@contextmanager
def failing(call: str, turn: int) -> Iterator[list[int]]:
    """Let the call of this turn, from 0, fail; give the list of turns."""
    module, name = call.split(".")
    original, turns = getattr(sys.modules[module], name), list[int]()

    def fail(*arguments: Any, **named: Any) -> Any:
        turns.append(len(turns))
        if turns[-1] == turn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call, fail)
        yield turns


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_any_call_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, overwrite: bool
) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)  # the disk's speed is not the question
    source, old = save(tmp_path / "new.tsv", NEW), save(tmp_path / "old.tsv", OLD)
    target, aliases = tmp_path / "c", tmp_path / "names"
    aliases.write_text("北京\tPeking\n", encoding="utf-8")
    unchanged, turn, reached = 0, 0, True
    while reached:
        shutil.rmtree(target, ignore_errors=True)
        if overwrite:
            graphs.compile([old], target)
        before, says = sorted(tmp_path.iterdir()), ""
        with failing(call, turn) as turns:
            try:
                graphs.compile([source], target, aliases=[aliases] * overwrite, overwrite=overwrite)
            except GraphError as error:
                says = str(error)
        assert "\n" not in says and (not says or "No space left on device" in says)
        if "nothing was changed" in says:
            unchanged += 1
            assert sorted(tmp_path.iterdir()) == before
        if target.exists():
            found = list(TripleStore.open(target))
            assert found == NEW[:2] or (overwrite and says and found == OLD)
            assert len(list(target.iterdir())) == 2
        assert sorted({*before, target}) == sorted({*tmp_path.iterdir(), target})
        turn, reached = turn + 1, turn in turns
    assert not says and found == NEW[:2]
    # An overwriting build replaces one file only.
    assert unchanged >= (10 if CALLS[call] else 1) or (call == "os.replace" and not overwrite)


def test_a_rename_into_place_that_fails_leaves_no_second_graph(tmp_path: Path) -> None:
    target = tmp_path / "c"
    graphs.compile([save(tmp_path / "old.tsv", OLD)], target)
    with failing("os.replace", 0), pytest.raises(GraphError, match="nothing was changed"):
        graphs.compile([save(tmp_path / "new.tsv", NEW)], target, overwrite=True)
    assert list(TripleStore.open(target)) == OLD and len(list(target.iterdir())) == 2


def run(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


FULL = """
import json, os, resource, sys
import graphs
folder, source = sys.argv[1:]
for limit in map(int, (0, 1, 15, 100, 1000, 4096, 5000, 12000, 18000, 24000, 1 << 30)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        outcome = str(len(graphs.compile([source], folder + "/c")))
    except graphs.GraphError as error:
        outcome = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    print(json.dumps([outcome, sorted(os.listdir(folder))]), flush=True)
"""


def test_no_room_for_a_file_at_any_size(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: writes fail half-way."""
    (tmp_path / "out").mkdir()
    rows = [(f"entity {n}", f"r{n % 5}", f"thing {n * 7919}") for n in range(1_500)]
    child = run(FULL, tmp_path / "out", save(tmp_path / "kg.tsv", rows))
    lines = [json.loads(line) for line in child.communicate()[0].splitlines()]
    assert child.returncode == 0 and len(lines) == 11
    for message, listed in lines[:-1]:
        assert "c: cannot be written: File too large; nothing was changed" in message
        assert "\n" not in message and listed == []
    assert lines[-1] == ["1500", ["c"]]


BUILD = """
import sys, time
from pathlib import Path
import graphs
target, go, *sources = sys.argv[1:]
print("ready", flush=True)
while not Path(go).exists():
    time.sleep(0.001)
said = []
store = graphs.compile(sources, target, announce=said.append)
print(any("taking that" in line for line in said), len(store), flush=True)
"""


def test_processes_that_build_the_same_folder_at_once(tmp_path: Path) -> None:
    rows = [(f"entity {n}", f"r{n % 5}", f"thing {n * 7919}") for n in range(3_000)]
    source, go = save(tmp_path / "kg.tsv", rows), tmp_path / "go"
    children = [run(BUILD, tmp_path / "c", go, source) for _ in range(4)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    go.touch()
    said = sorted(child.communicate()[0] for child in children)
    assert said == ["False 3000\n", "True 3000\n", "True 3000\n", "True 3000\n"]
    assert [child.returncode for child in children] == [0] * 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "go", "kg.tsv"]


def test_one_that_was_built_between_looking_and_locking_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = save(tmp_path / "new.tsv", NEW), tmp_path / "c"
    locked = graphs.compiled.locking.locked

    def late(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr("graphs.compiled.locking.locked", locked)
        graphs.compile([source], target)
        return locked(*arguments, **named)

    said: list[str] = []
    monkeypatch.setattr("graphs.compiled.locking.locked", late)
    assert len(graphs.compile([source], target, announce=said.append)) == 2
    assert len(said) == 1 and "was built from the same sources meanwhile" in said[0]
    other = save(tmp_path / "old.tsv", OLD)
    (tmp_path / "d").mkdir()
    monkeypatch.setattr("graphs.compiled.locking.locked", late)
    with pytest.raises(GraphError, match="is there already"):
        graphs.compile([other], tmp_path / "c")  # that is another graph


AGAIN = """
import sys
import graphs
target, *sources = sys.argv[1:]
for source in sources * 1000:
    graphs.compile([source], target, overwrite=True)
    print(flush=True)
"""


def test_killed_while_building(tmp_path: Path) -> None:
    sizes = {3_000: "a.tsv", 2_000: "b.tsv"}
    paths = [
        save(tmp_path / name, [(f"entity {n}", "r", f"thing {n * 7919}") for n in range(size)])
        for size, name in sizes.items()
    ]
    source, target, partial = random.Random(5), tmp_path / "c", 0
    for turn in range(6):
        child = run(AGAIN, target, *paths, stderr=subprocess.DEVNULL)
        assert child.stdout is not None
        deadline = time.monotonic() + 30
        while not any(tmp_path.glob(".c.partial-*")) and time.monotonic() < deadline:
            time.sleep(0.001)
        if turn:
            child.stdout.readline()
        time.sleep(source.random() * 0.2)
        child.kill()
        child.communicate()
        partial += len(list(tmp_path.glob(".c.partial-*")))
        assert turn == 0 or target.exists()
        if target.exists():
            assert len(TripleStore.open(target)) in sizes
            MentionIndex(TripleStore.open(target)).find("entity 7")
    assert partial  # or else nothing was interrupted
    graphs.compile([paths[0]], target, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tsv", "b.tsv", "c"]
    assert len(list(target.iterdir())) == 2


def test_readers_see_one_graph_or_the_other(tmp_path: Path) -> None:
    target = tmp_path / "c"
    paths = [save(tmp_path / "old.tsv", OLD), save(tmp_path / "new.tsv", NEW)]
    graphs.compile([paths[0]], target)
    child = run(AGAIN, target, *paths)
    assert child.stdout is not None
    builds: list[str] = []
    counting = threading.Thread(target=lambda: builds.extend(child.stdout))
    counting.start()
    seen = {1: 0, 2: 0}
    deadline = time.monotonic() + 30
    while (len(builds) < 25 or min(seen.values()) < 20) and time.monotonic() < deadline:
        store = TripleStore.open(target)
        expected = OLD if len(store) == 1 else NEW[:2]
        assert list(store) == expected
        assert MentionIndex(store).find(expected[0][0])[0].entity == expected[0][0]
        seen[len(store)] += 1
    child.kill()
    child.wait()
    counting.join()
    child.stdout.close()
    assert min(seen.values()) >= 20 and len(builds) >= 25


def test_a_graph_that_is_replaced_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest has been read, and then its data is gone."""
    source, other = save(tmp_path / "new.tsv", NEW), save(tmp_path / "old.tsv", OLD)
    target, mapping = tmp_path / "c", graphs.compiled.folder._map
    graphs.compile([source], target)

    def late(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr("graphs.compiled.folder._map", mapping)
        graphs.compile([other], target, overwrite=True)
        return mapping(*arguments, **named)

    monkeypatch.setattr("graphs.compiled.folder._map", late)
    assert list(TripleStore.open(target)) == OLD
