"""No pickle has its way: not in the converter, and not in a place where none belongs."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import kbert.convert
from kbert.nn.legacy import read_legacy
from tests.security import pickles
from tests.security.folders import Ending, Place, canaries, command, make_place, run


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("sound"))


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data and len(old) == len(new)
    return data.replace(old, new)


def flagged(data: bytes, bit: int) -> bytes:
    """Set a bit of the flags of every member, in both places."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            changed[at + offset] |= bit
    return bytes(changed)


def overlapping() -> bytes:
    """Give every member of an archive the place of its first."""
    data = bytearray(pickles.tensors(b=torch.ones(2)))
    at, first = -1, None
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        first = data[at + 42 : at + 46] if first is None else first
        data[at + 42 : at + 46] = first
    return bytes(data)


def listing(members: int) -> bytes:
    """List so many members that the list alone would fill memory."""
    data = pickles.tensors()
    end = data.rindex(b"PK\x05\x06")
    return (
        data[:end] + data[end : end + 10] + struct.pack("<HI", members, 1 << 31) + data[end + 16 :]
    )


SOUND = pickles.tensors()
ARCHIVES: dict[str, Callable[[], bytes]] = {
    "compressed": lambda: pickles.archive(pickles.members(SOUND), compression=zipfile.ZIP_DEFLATED),
    "bomb": lambda: pickles.archive(
        {"archive/data.pkl": bytes(100 << 20)}, compression=zipfile.ZIP_DEFLATED
    ),
    "path out of the folder": lambda: pickles.archive({"archive/../../song": b"1"}),
    "absolute path": lambda: pickles.archive({"/tmp/song": b"1"}),
    "a path of Windows": lambda: pickles.archive({"archive\\..\\song": b"1"}),
    "a hidden end of a name": lambda: patched(
        pickles.archive({"archive/data.pklXY": b"1"}), b"data.pklXY", b"data.pkl\0Y"
    ),
    "code of TorchScript": lambda: pickles.archive({"archive/code/__torch__.py": b"import os"}),
    "two roots": lambda: pickles.archive({"a/data.pkl": b"1", "b/data/0": b"1"}),
    "overlapping members": overlapping,
    "endless list": lambda: listing(0xFFFE),
    "many members": lambda: pickles.archive(
        {f"archive/data/{number}": b"" for number in range(50_001)}
    ),
    "encrypted": lambda: flagged(SOUND, 1),
    "no data.pkl": lambda: pickles.archive({"archive/data/0": b"1"}),
    "big endian": lambda: pickles.archive({**pickles.members(SOUND), "archive/byteorder": b"big"}),
    "cut short": lambda: SOUND[: len(SOUND) // 2],
    "without its end": lambda: SOUND[:-22],
    "flipped in the numbers": lambda: patched(
        SOUND, struct.pack("<f", 3.0), struct.pack("<f", 4.0)
    ),
    "a large byteorder": lambda: pickles.archive(
        {**pickles.members(SOUND), "archive/byteorder": bytes(1 << 20)}
    ),
    "more numbers than are there": lambda: pickles.new(
        pickles.program_of(1 << 40, shape=(1 << 40,), stride=(1,))
    ),
    "a tensor past its storage": lambda: pickles.new(
        pickles.program_of(6, shape=(7,), stride=(1,))
    ),
    "a tensor of one number, a million times": lambda: pickles.new(
        pickles.program_of(6, shape=(1 << 20, 1 << 20), stride=(0, 0))
    ),
    "a thousand names for one storage": lambda: pickles.new(
        pickles.program_of(6000, shape=(6000,), stride=(1,), count=2000), storage=bytes(24_000)
    ),
    "a negative stride": lambda: pickles.new(pickles.program_of(6, shape=(2,), stride=(-1,))),
    "a storage that is missing": lambda: pickles.archive(
        {"archive/data.pkl": pickles.program_of(6, shape=(6,), stride=(1,))}
    ),
    "not a dictionary": lambda: pickles.new(b"\x80\x02]."),
    "nothing": lambda: b"",
    "a shell script": lambda: b"#!/bin/sh\ntouch song\n",
    "an old file, cut short": lambda: old_file()[:-3],
    "an old file with more behind": lambda: old_file() + b"x",
    "an old tar file": lambda: b"storages" + bytes(1000),
}


def old_file() -> bytes:
    stream = io.BytesIO()
    torch.save({"a": torch.arange(6.0)}, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def convert(place: Place, data: bytes) -> Ending:
    """Convert a file that a user trusts, wrongly."""
    file, out = place.folder / "hostile.bin", place.folder / "converted"
    file.write_bytes(data)
    vocabulary = str(place.model / "vocab.txt")
    ending = run(kbert.convert.main, [str(file), "-o", str(out), "--trust", "--vocab", vocabulary])
    assert not out.exists()
    return ending


def assert_refused(ending: Ending, *, file: str) -> None:
    assert ending.status == 2 and ending.out == "", ending
    *notes, last = ending.said
    assert last.startswith("error: ") and file in last, ending.said
    assert not any("error" in note or "Traceback" in note for note in notes), ending.said


def test_what_is_sound_is_read(tmp_path: Path) -> None:
    """Or the refusals below would prove nothing."""
    for number, data in enumerate(
        (SOUND, old_file(), pickles.new(pickles.program_of(6, shape=(6,), stride=(1,))))
    ):
        (tmp_path / f"{number}.bin").write_bytes(data)
        assert [t.numel() for t in read_legacy(tmp_path / f"{number}.bin").values()] == [6]


@pytest.mark.parametrize("name", sorted(pickles.PROGRAMS))
@pytest.mark.parametrize("form", ["new", "old", "bare"])
def test_no_program_is_run(name: str, form: str, sound: Place, tmp_path: Path) -> None:
    with canaries(tmp_path) as song:
        program = pickles.PROGRAMS[name](song)
        data = {"new": pickles.new, "old": pickles.old, "bare": lambda p: p}[form](program)
        ending = convert(sound, data)
    assert_refused(ending, file="hostile.bin")


@pytest.mark.parametrize("name", sorted(ARCHIVES))
def test_no_archive_tricks_us(name: str, sound: Place, tmp_path: Path) -> None:
    with canaries(tmp_path):
        ending = convert(sound, ARCHIVES[name]())
    assert_refused(ending, file="hostile.bin")


@pytest.mark.parametrize("name", ["system", "imported", "executed"])
@pytest.mark.parametrize("form", ["new", "old", "bare"])
@pytest.mark.parametrize("target", ["model.safetensors", "pytorch_model.bin"])
def test_a_pickle_as_the_weights_is_not_opened(
    name: str, form: str, target: str, sound: Place, tmp_path: Path
) -> None:
    """By no command: under the name of the weights, or beside none."""
    shutil.copytree(sound.folder, tmp_path / "copy")
    place = Place(tmp_path / "copy")
    with canaries(tmp_path) as song:
        program = pickles.PROGRAMS[name](song)
        data = {"new": pickles.new, "old": pickles.old, "bare": lambda p: p}[form](program)
        for model in place.models:
            (model / "checksums.json").unlink()
            (model / "model.safetensors").unlink()
            (model / target).write_bytes(data)
        for each in ("predict", "fill", "train", "score"):
            assert_refused(command(each, place), file="model.safetensors")


@pytest.mark.parametrize("name", ["imported"])
def test_the_pickles_are_as_harmful_as_they_seem(name: str, tmp_path: Path) -> None:
    """A canary that could not sing would prove nothing: Python's own reader lets it."""
    import pickle

    def sing() -> None:
        with canaries(tmp_path) as song:
            pickle.loads(pickles.PROGRAMS[name](song))

    with pytest.raises(AssertionError, match="hostile file"):
        sing()
