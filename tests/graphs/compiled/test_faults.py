"""Whichever call of the disk fails as a graph is built, the old graph stands there or the new."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

import graphs
from graphs import GraphError, TripleStore
from tests.faults import KINDS, Kind, every_call, faulty_disk


def source(folder: Path, name: str, *tails: str) -> Path:
    file = folder / f"{name}.spo"
    file.write_text("".join(f"北京\t是\t{tail}\n" for tail in tails), encoding="utf-8")
    return file


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("replaced", [False, True])
def test_each_call_in_turn(tmp_path: Path, kind: Kind, replaced: bool) -> None:
    code = errno.EIO if kind == "sync" else errno.ENOSPC
    one, two = source(tmp_path, "one", "城市"), source(tmp_path, "two", "城市", "首都", "地方")
    old, new = (graphs.compile([file], tmp_path / file.stem).fingerprint for file in (one, two))
    target = tmp_path / "place" / "graph"
    target.parent.mkdir()
    succeeded = True

    def build() -> TripleStore:
        return graphs.compile([two], target, overwrite=True)

    for number in every_call(build, kind):
        if replaced and succeeded:
            graphs.compile([one], target, overwrite=True)
        elif target.exists() and not replaced:
            shutil.rmtree(target)
        failed = ""
        with faulty_disk(kind, number, code=code):
            try:
                build()
            except GraphError as error:
                failed = str(error)
        succeeded = not failed
        assert [path.name for path in target.parent.iterdir()] in ([], ["graph"])
        if failed:
            assert "\n" not in failed and os.strerror(code) in failed
            assert ("are free" in failed) == (code == errno.ENOSPC)
            assert target.exists() == replaced
        if target.exists():
            assert TripleStore.open(target).fingerprint == (old if failed else new)
            assert len(list(target.glob("data-*"))) == 1
    assert build().fingerprint == new
