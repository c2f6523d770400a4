"""What is refused before work begins, and what is only said."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from kbert import preflight
from kbert.errors import RunError, SettingsError
from kbert.footprint import Load
from kbert.nn import Encoder, EncoderConfig
from kbert.preflight import (
    Room,
    check_folder,
    check_sizes,
    check_space,
    check_training,
    check_writable,
    machine_room,
)
from kbert.settings import TrainSettings

Usage = namedtuple("Usage", "total used free")
CONFIG = EncoderConfig(vocab_size=20, width=8, layers=1, heads=2, feed_forward=8)
LOAD = Load(slots=64, length=8)


@pytest.fixture
def network() -> Encoder:
    return Encoder(CONFIG)


def room(monkeypatch: pytest.MonkeyPatch, *, total: int, free: int) -> None:
    monkeypatch.setattr(preflight, "machine_room", lambda: Room(total, free))


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "a" / "b") == tmp_path
    check_folder(tmp_path / "a")
    check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"file/run: cannot be made: .*file is not a folder"):
        check_writable(tmp_path / "file" / "run")
    with pytest.raises(RunError, match="is a file, and a folder is to be written"):
        check_folder(tmp_path / "file")


def test_a_folder_that_nobody_may_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the refusal of the file system is made."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match="is not a folder that can be written to"):
        check_writable(tmp_path / "run")


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9000, 4000, 5000))
    check_space(tmp_path / "run", needed=5000)
    with pytest.raises(RunError, match="run: needs about 5,001 bytes, but 5,000 are free"):
        check_space(tmp_path / "run", needed=5001)


def test_an_encoder_that_no_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    check_sizes(CONFIG)
    room(monkeypatch, total=1000, free=1000)
    with pytest.raises(SettingsError, match=r"its weights take [\d,]+ bytes, and this machine has"):
        check_sizes(CONFIG)


def test_training_refuses_what_cannot_be_and_warns_of_what_is_tight(
    network: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wish = TrainSettings(accelerator="cpu")
    parameters = sum(parameter.numel() for parameter in network.parameters())

    def check(*, total: int, free: int) -> str:
        room(monkeypatch, total=total, free=free)
        check_training(network, CONFIG, LOAD, wish=wish, output=tmp_path / "run")
        return capsys.readouterr().err

    assert check(total=10**9, free=10**9) == ""
    said = check(total=10**9, free=16 * parameters)
    assert said.startswith("note: the training needs about ") and said.count("\n") == 1
    with pytest.raises(SettingsError, match=r"takes at least .* bytes of memory, and this machine"):
        check(total=16 * parameters - 1, free=1)
    for parameter in network.parameters():
        parameter.requires_grad = False
    assert "note" in check(total=16 * parameters - 1, free=1)


def test_several_processes_share_the_machine(
    network: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    room(monkeypatch, total=20 * parameters, free=10**9)
    one, two = (TrainSettings(accelerator="cpu", devices=devices) for devices in (1, 2))
    check_training(network, CONFIG, LOAD, wish=one, output=tmp_path / "run")
    with pytest.raises(SettingsError):
        check_training(network, CONFIG, LOAD, wish=two, output=tmp_path / "run")
    check_training(network, CONFIG, LOAD, wish=two, output=tmp_path / "run", shards=2)


def test_weights_that_do_not_fit_on_the_disk(
    network: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9000, 4000, 5000))
    with pytest.raises(RunError, match="5,000 are free"):
        check_training(
            network, CONFIG, LOAD, wish=TrainSettings(accelerator="cpu"), output=tmp_path / "run"
        )


def test_checkpoints_that_may_not_fit_are_noted(
    network: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What three take is what three files of safetensors of the weights and both means hold."""
    count = sum(parameter.numel() for parameter in network.parameters())
    weights = 2 * 4 * count + (16 << 20)

    def check(free: int, wish: TrainSettings) -> str:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free, 0, free))
        check_training(network, CONFIG, LOAD, wish=wish, output=tmp_path / "run")
        return capsys.readouterr().err

    on = TrainSettings(accelerator="cpu")
    off = TrainSettings(accelerator="cpu", checkpoint_minutes=0)
    needed = weights + 3 * 3 * 4 * count
    assert check(needed, on) == "" == check(needed - 1, off)
    said = check(needed - 1, on)
    assert said.startswith(f"note: with checkpoints the run takes up to about {needed:,} bytes")
    assert said.count("\n") == 1 and "goes on without those that cannot be written" in said
    next(network.parameters()).requires_grad = False  # of these no means are kept
    assert check(needed - 1, on) == ""


def test_the_memory_of_this_machine_is_known() -> None:
    found = machine_room()
    assert found is not None and 0 < found.free <= found.total


def test_a_container_has_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text(
        "MemTotal: 1000 kB\nMemAvailable: 800 kB\nSwapTotal: 24 kB\nSwapFree: 0 kB\n"
    )
    monkeypatch.setattr(preflight, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(preflight, "_GROUP", tmp_path)
    assert machine_room() == Room(1024 << 10, 800 << 10)
    (tmp_path / "memory.max").write_text("102400\n")
    (tmp_path / "memory.current").write_text("60000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 9000\nactive_file 1000\n")
    assert machine_room() == Room(102400, 52400)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_room() == Room(1024 << 10, 800 << 10)
    (tmp_path / "meminfo").unlink()
    assert machine_room() is not None  # the system was asked
