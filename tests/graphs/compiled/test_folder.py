from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphs
from graphs import GraphError, MentionIndex, TripleStore
from graphs.compiled.folder import MANIFEST, Folder, seal_of
from graphs.compiled.manifest import encode
from graphs.compiled.sealing import FolderWriter
from graphs.normal import NormalForm

LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
LINES = f"""<urn:a> {LABEL} "Aachen"@de .
<urn:a> <urn:in> <urn:b> .
<urn:b> {LABEL} "Belgien" .
"""
FLIPS = 300


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled graph with every kind of file: two sources, names, two forms of the index."""
    folder = tmp_path_factory.mktemp("folder")
    for number in (0, 1):
        (folder / f"{number}.nt").write_text(LINES, encoding="utf-8")
    forms = [NormalForm(case_fold=True, nfkc=False)]
    graphs.compile([folder / "0.nt", folder / "1.nt"], folder / "whole", forms=forms)
    return folder / "whole"


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def no_trie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a trie is opened: damage must be found before."""

    monkeypatch.setattr("graphs.name_trie.marisa_trie", None)


def refused(path: Path) -> str:
    """Return the one line with which opening is refused."""
    with pytest.raises(GraphError) as caught:
        MentionIndex(TripleStore.open(path))
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def files_of(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file())


def test_the_whole_one_opens(whole: Path) -> None:
    store = TripleStore.open(whole)
    assert MentionIndex(store, case_fold=True).find("in AACHEN")[0].entity == "urn:a"
    assert store.path == whole and store.duplicates == 3
    assert len(files_of(whole)) > 40


def test_any_flipped_bit_is_found(copy: Path, no_trie: None) -> None:
    source, files = random.Random(1), files_of(copy)
    files = [file for file in files if file.stat().st_size]
    for turn in range(max(FLIPS, len(files))):
        file = files[turn % len(files)]
        data = file.read_bytes()
        flipped = bytearray(data)
        flipped[source.randrange(len(data))] ^= 1 << source.randrange(8)
        file.write_bytes(flipped)
        assert str(file) in refused(copy)
        file.write_bytes(data)
    assert len(TripleStore.open(copy)) == 3


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[:-1], "instead of"),
        (lambda data: data + b"\0", "instead of"),
        (lambda data: b"", "instead of"),
        (lambda data: bytes(len(data)), "checksum is wrong"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_another_size_or_none_is_found(
    copy: Path, no_trie: None, damage: Callable[[bytes], bytes] | None, says: str
) -> None:
    for file in files_of(copy):
        data = file.read_bytes()
        changed = None if damage is None else damage(data)
        if changed == data:
            continue
        if changed is None:
            file.unlink()
        else:
            file.write_bytes(changed)
        if file.name != MANIFEST:
            message = refused(copy)
            assert says in message and str(file) in message
        elif changed is not None:
            assert "damaged, or not made by" in refused(copy)
        file.write_bytes(data)
    assert len(TripleStore.open(copy)) == 3


def reseal(path: Path, manifest: Any) -> None:
    """Put a manifest in place with a seal that fits."""
    data = manifest if isinstance(manifest, bytes) else encode(manifest)
    (path / MANIFEST).write_bytes(data)
    (old,) = path.glob("data-*")
    old.rename(path / f"data-{seal_of(data)}")


def test_manifests_of_others(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text('{"name": "my app", "icons": []}')
    assert "not made by `python -m graphs build`" in refused(copy)
    reseal(copy, manifest | {"version": 2})
    assert "of version 2; this program reads version 1" in refused(copy)
    reseal(copy, manifest | {"format": "tar"})
    assert "'tar' of version 1" in refused(copy)
    for data in (
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"format": NaN}',
        b"1" * 9_000,
    ):
        reseal(copy, data)
        refused(copy)
    with (copy / MANIFEST).open("wb") as file:
        file.truncate((64 << 20) + 1)
    assert "too large for a manifest" in refused(copy)


WRONG = [None, -1, 1.5, True, "x", [], {}, [1], [[]], {"a": 1}, "\ud800", 1 << 70]


def test_no_value_of_a_sealed_manifest_is_believed(copy: Path) -> None:
    """Put every kind of wrong value in every place; nothing but GraphError may come of it."""
    original = (copy / MANIFEST).read_bytes()
    places = []

    def visit(value: Any, path: tuple[Any, ...]) -> None:
        places.append(path)
        for key, part in value.items() if isinstance(value, dict) else ():
            visit(part, (*path, key))

    visit(json.loads(original), ())
    outcomes = {True: 0, False: 0}
    for path in places:
        if path[:1] == ("plan",) or (
            path[:1] == ("files",) and len(path) > 1 and "rows" not in path
        ):
            continue
        for wrong in (*WRONG, "absent"):
            manifest: Any = {"": json.loads(original)}
            inner, key = manifest, ""
            for step in path:
                inner, key = inner[key], step
            if wrong == "absent":
                del inner[key]
            else:
                inner[key] = wrong
            reseal(copy, encode(manifest.get("")))
            try:
                MentionIndex(TripleStore.open(copy))
            except GraphError as error:
                assert "\n" not in str(error)
                outcomes[False] += 1
            else:
                outcomes[True] += 1
    # What is still opened has another name, other languages or counts of duplicates, at most.
    assert outcomes[False] > 150 and outcomes[True] < 60


@pytest.mark.parametrize(
    "name", ["../rows", "/etc/passwd", "a/b", "..", ".", "", "a\0b", "a b", ".x"]
)
def test_a_file_s_name_stays_in_its_folder(copy: Path, name: str) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["files"][name] = manifest["files"]["rows"]
    reseal(copy, manifest)
    assert "'files' is wrong or missing" in refused(copy)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rows", {"dtype": "|O"}),
        ("rows", {"dtype": "<i8"}),
        ("rows", {"dtype": "<i4,<i4"}),
        ("rows", {"shape": [3]}),
        ("rows", {"shape": [3, 4]}),
        ("rows", {"shape": [3, 3, 1]}),
        ("rows", {"shape": [1 << 62, 4]}),
        ("rows", {"shape": []}),
        ("rows", {"bytes": 35}),
        ("rows", {"xxh3": "../x"}),
        ("rows", {"shape": [9, 1]}),
        ("rows", {"dtype": "|u1", "shape": [36]}),
        ("facts.offsets", {"dtype": "<i4", "shape": [10]}),
        ("mentions.marisa", None),
        ("mentions.lengths", None),
        ("heads", None),
        ("names.of_entity.offsets", None),
        ("relation_names.ids", None),
    ],
)
def test_a_file_is_what_the_graph_needs(
    copy: Path, name: str, change: dict[str, Any] | None, no_trie: None
) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    if change is None:
        del manifest["files"][name]
    else:
        manifest["files"][name] |= change
    reseal(copy, manifest)
    message = refused(copy)
    assert "'files' is wrong" in message or f"has no proper {name}" in message


def test_a_worker_compares_sizes_and_the_seal(copy: Path) -> None:
    folder = Folder.open(copy)
    assert Folder.open(copy, seal=folder.seal).manifest == folder.manifest
    with pytest.raises(GraphError, match="was built anew since it was opened; open it again"):
        Folder.open(copy, seal="0" * 16)
    rows = folder.data / "rows"
    rows.write_bytes(rows.read_bytes()[:-1])
    with pytest.raises(GraphError, match="35 bytes instead of 36"):
        Folder.open(copy, seal=folder.seal)


def test_a_relative_path_is_made_absolute(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy.parent)
    store = TripleStore.open("copy")
    assert store.path == copy and store.name == "copy"


def test_arrays_come_back_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    writer = FolderWriter(tmp_path / "new")
    written = {
        "a": np.arange(6, dtype=np.int32).reshape(2, 3),
        "b": np.empty(0, dtype=np.int64),
        "c": np.arange(3, dtype=">u2"),
        "d": np.arange(256, dtype=np.uint8)[::2],
    }
    for name, array in written.items():
        writer.write(name, array)
    made = writer.create("e", (2, 2), "<i8")
    made[:] = 7
    assert writer.create("f", (0,), "<i4").shape == (0,)
    about = {"name": "x\udcff", "triples": 0, "entities": 0, "relations": 0, "duplicates": 0}
    about |= {"skipped": 0, "fingerprint": "", "named": False, "languages": [], "sources": []}
    seal = writer.seal(about | {"mentions": {}, "plan": {}})
    folder = Folder.open(tmp_path / "new")
    assert (folder.seal, folder.manifest["name"]) == (seal, "x\udcff")
    for name, array in written.items():
        little = array.dtype.newbyteorder("<")
        found = folder.array(name, dtype=little.str, shape=array.shape)
        assert (found.tolist() == array.tolist() and not found.flags.writeable) or not found.size
    assert folder.array("e", dtype="<i8", shape=(None, 2)).tolist() == [[7, 7], [7, 7]]
    assert "f" in folder and "g" not in folder
