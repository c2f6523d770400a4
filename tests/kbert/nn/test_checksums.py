"""What is written is sealed; what differs from its checksum is refused before it is used."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import CheckpointError
from kbert.nn import Encoder, checksums
from kbert.nn.checkpoint import load_encoder, save
from kbert.nn.checksums import CHECKSUMS, check, is_there, read_bytes, seal, unseal
from kbert.nn.config import EncoderConfig
from kbert.tokenizer import Tokenizer

CONFIG = EncoderConfig(vocab_size=30, width=8, layers=1, heads=2, feed_forward=8)


@pytest.fixture
def folder(tmp_path: Path, make_tokenizer: Callable[..., Tokenizer]) -> Path:
    """A model folder with its tokeniser."""
    save(Encoder(CONFIG), tmp_path)
    make_tokenizer(["a", "b"]).save(tmp_path)
    return tmp_path


def entries(folder: Path) -> dict[str, Any]:
    files: dict[str, Any] = json.loads((folder / CHECKSUMS).read_bytes())["files"]
    return files


def load(folder: Path) -> None:
    load_encoder(folder)
    Tokenizer.from_pretrained(folder)


def test_every_file_of_a_model_has_its_checksum(folder: Path) -> None:
    known = entries(folder)
    assert set(known) == {path.name for path in folder.iterdir()} - {CHECKSUMS}
    for name, entry in known.items():
        data = (folder / name).read_bytes()
        assert entry == {"bytes": len(data), "xxh3": xxhash.xxh3_128(data).hexdigest()}
    load(folder)


def test_any_flipped_bit_is_refused_in_one_line(folder: Path) -> None:
    generator = random.Random(1)
    without = ("tokenizer_config.json", "vocab.txt")  # read where there is no tokenizer.json
    for name in ("config.json", "model.safetensors", "tokenizer.json", *without, CHECKSUMS):
        if name == without[0]:
            (folder / "tokenizer.json").unlink()
            unseal(folder, "tokenizer.json")
        file = folder / name
        whole = file.read_bytes()
        for bit in generator.sample(range(8 * len(whole)), 12):
            broken = bytearray(whole)
            broken[bit // 8] ^= 1 << bit % 8
            file.write_bytes(broken)
            with pytest.raises(CheckpointError, match="damaged") as caught:
                load(folder)
            assert str(file) in str(caught.value) and "\n" not in str(caught.value)
            assert "remove checksums.json" in str(caught.value)
        file.write_bytes(whole)
        load(folder)


def test_a_file_cut_short_or_grown_is_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    for data in (whole[:-1], whole + b"\0", b""):
        file.write_bytes(data)
        with pytest.raises(CheckpointError, match=f"damaged: {len(data)} bytes instead of"):
            load(folder)


def test_a_file_that_was_listed_and_is_gone_is_missed(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()  # vocab.txt would do, but says less
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: is missing, but checksums\.json"):
        load(folder)
    assert not is_there(folder / "calibrator.json")


def test_without_checksums_a_model_loads_as_before(folder: Path) -> None:
    (folder / CHECKSUMS).unlink()
    load(folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    load(folder)


def test_a_file_of_another_version_says_so(folder: Path) -> None:
    content = json.loads((folder / CHECKSUMS).read_bytes())
    (folder / CHECKSUMS).write_text(json.dumps(content | {"version": 2}))
    with pytest.raises(CheckpointError, match="version 2 is not the version 1 of this program"):
        load(folder)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b'{"files": []}', b'{"files": {"a": 1}}', b"[" * 100_000, b"\xff"],
)
def test_what_is_no_manifest_is_refused_and_written_anew(folder: Path, data: bytes) -> None:
    (folder / CHECKSUMS).write_bytes(data)
    with pytest.raises(CheckpointError, match=r"checksums\.json: damaged"):
        load(folder)
    save(Encoder(CONFIG), folder)
    assert set(entries(folder)) == {"config.json", "model.safetensors"}
    load(folder)


@given(
    sizes=st.dictionaries(st.text(min_size=1, max_size=8), st.integers(-1, 9), max_size=3),
    digest=st.text("0123456789abcdefg", min_size=30, max_size=33),
)
def test_a_well_formed_manifest_of_nonsense_is_refused(sizes: dict[str, int], digest: str) -> None:
    """An entry is a size and a checksum and nothing else, also where the seal is right."""
    data = checksums._encode({n: {"bytes": b, "xxh3": digest} for n, b in sizes.items()})
    sound = not sizes or (len(digest) == 32 and "g" not in digest)
    try:
        checksums._parse(data, file=Path("x"))
    except CheckpointError:
        assert not sound
    else:
        assert sound


def test_a_finished_folder_takes_another_file(folder: Path) -> None:
    """Killed anywhere between these three, the folder can be read."""
    (folder / "extra.json").write_bytes(b"1")
    seal(folder, ["extra.json"])
    unseal(folder, "extra.json")
    (folder / "extra.json").write_bytes(b"22")
    assert read_bytes(folder / "extra.json") == b"22"
    seal(folder, ["extra.json"])
    assert entries(folder)["extra.json"]["bytes"] == 2
    (folder / "extra.json").write_bytes(b"23")
    with pytest.raises(CheckpointError, match="its checksum is not that in"):
        read_bytes(folder / "extra.json")
    load(folder)


def test_only_small_regular_files_are_read(tmp_path: Path) -> None:
    """A pipe would never answer, a device never end."""
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match=r"config\.json: cannot be read: not a file"):
        EncoderConfig.from_folder(tmp_path)
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="zero: cannot be read: not a file"):
        read_bytes(tmp_path / "zero")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)  # a hole
    with pytest.raises(CheckpointError, match="more than the 67,108,864"):
        read_bytes(tmp_path / "large")
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        read_bytes(tmp_path / "absent")
    check(tmp_path / "absent")  # without checksums there is nothing to compare


def test_saved_weights_are_those_that_load(folder: Path) -> None:
    model = Encoder(CONFIG)
    save(model, folder)
    loaded = load_encoder(folder).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in model.state_dict().items())
