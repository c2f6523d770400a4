"""Checkpoints: whole or not there, damage is found, and the one before serves instead."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kbert import checkpoints
from kbert.checkpoints import clear, has_checkpoint, newest, read, write
from kbert.errors import CheckpointError

TENSORS = {"model.a": torch.arange(6.0).reshape(2, 3), "optimiser.a.step": torch.tensor(4.0)}
STATE = {"loss": 0.1 + 0.2, "名": "北京", "nothing": None, "list": [1, 2.5]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"best")
    (tmp_path / "curves.csv").write_text("step\n1\n", encoding="utf-8")
    return tmp_path


def written(run: Path, step: int) -> Path:
    return write(
        run, step=step, state=STATE, tensors=TENSORS,
        replaced=("model.safetensors", "config.json"), appended=("curves.csv",),
    )  # fmt: skip


def names(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir() if path.is_dir())


def test_what_is_written_is_read(run: Path) -> None:
    assert newest(run) is None and not has_checkpoint(run)
    folder = written(run, 7)
    found = newest(run)
    assert found is not None and found.folder == folder and found.step == 7
    assert found.state == STATE | {"step": 7}
    assert found.files == ("model.safetensors", "curves.csv")
    tensors = found.tensors()
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_files_of_the_run_come_back_as_they_were(run: Path) -> None:
    written(run, 1)
    with (run / "curves.csv").open("a", encoding="utf-8") as stream:
        stream.write("2\n")
    (run / "new").write_bytes(b"better")
    (run / "new").replace(run / "model.safetensors")  # as weights are saved
    found = newest(run)
    assert found is not None
    found.restore_files(run)
    assert (run / "curves.csv").read_text(encoding="utf-8") == "step\n1\n"
    assert (run / "model.safetensors").read_bytes() == b"best"
    (run / "model.safetensors").unlink()
    assert read(found.folder).files  # what came back shares nothing with the checkpoint


def test_two_checkpoints_stay_and_none_when_the_run_is_done(run: Path) -> None:
    for step in (2, 4, 10, 11):
        written(run, step)
    assert names(run) == ["checkpoint-10", "checkpoint-11"]
    (run / ".checkpoint-12.9").mkdir()  # of a process that was killed
    written(run, 12)
    assert names(run) == ["checkpoint-11", "checkpoint-12"]
    clear(run)
    assert names(run) == []


def test_a_damaged_checkpoint_does_not_count_as_one_that_stays(run: Path) -> None:
    for step in (2, 4, 6):
        written(run, step)
    (run / "checkpoint-6" / "seal").write_bytes(b"")
    found = newest(run)
    assert found is not None and found.step == 4
    written(run, 5)  # by who went on from there
    assert names(run) == ["checkpoint-4", "checkpoint-5"]


def test_writing_again_replaces(run: Path) -> None:
    written(run, 3)
    write(run, step=3, state={"other": 1}, tensors=TENSORS)
    found = newest(run)
    assert found is not None and found.state == {"other": 1, "step": 3} and found.files == ()


def test_every_flipped_bit_is_found(run: Path) -> None:
    folder = written(run, 5)
    draw = random.Random(1)
    for file in sorted(folder.iterdir()):
        before = file.read_bytes()
        bits = range(len(before) * 8)
        for at in bits if file.name == "seal" else draw.choices(bits, k=60):
            content = bytearray(before)
            content[at // 8] ^= 1 << at % 8
            file.write_bytes(bytes(content))
            with pytest.raises(CheckpointError, match=r"checkpoint-5.*: (damaged|cannot be read)"):
                read(folder)
        file.write_bytes(before)
    assert read(folder).step == 5


@pytest.mark.parametrize("name", ["seal", "state.json", "tensors.safetensors", "curves.csv"])
@pytest.mark.parametrize("harm", ["absent", "cut", "longer"])
def test_the_one_before_serves_where_the_newest_is_damaged(
    run: Path, name: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written(run, 5)
    file = written(run, 6) / name
    if harm == "absent":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[:-3] if harm == "cut" else content + b"12")
    found = newest(run)
    assert found is not None and found.step == 5
    said = capsys.readouterr().err
    assert "checkpoint-6" in said and said.endswith("going on from step 5 instead\n")
    shutil.rmtree(found.folder)
    with pytest.raises(CheckpointError, match="no other checkpoint is there, so begin anew"):
        newest(run)


def test_another_format_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(run, 5)
    monkeypatch.setattr(checkpoints, "FORMAT", 2)
    with pytest.raises(CheckpointError, match="format 1 is not the format 2 of this version"):
        read(folder)


def test_whatever_fails_the_one_before_is_there(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of the file system fails in turn, until none is left that could."""
    written(run, 1)
    failed = 0
    for number in range(1000):
        with monkeypatch.context() as patch:
            calls = count_down(patch, number)
            try:
                written(run, 2)
            except CheckpointError as error:
                assert "checkpoint-2" in str(error) and "No space left on device" in str(error)
                failed += 1
            left = calls()
        found = newest(run)
        assert found is not None and found.step in (1, 2)
        if left:
            assert found.step == 2
            break
        assert failed == number + 1  # nothing fails in silence
        shutil.rmtree(run / "checkpoint-2", ignore_errors=True)
    assert failed > 8


def count_down(patch: pytest.MonkeyPatch, number: int) -> Callable[[], bool]:
    """Let call `number` of those that write fail; say whether there were fewer."""
    left = number

    def failing(whole: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == -1:
                raise OSError(28, "No space left on device")
            return whole(*arguments, **options)

        return call

    patch.setattr("os.fsync", failing(lambda handle: None))
    for name in ("mkdir", "rename", "open"):
        patch.setattr(Path, name, failing(getattr(Path, name)))
    patch.setattr("shutil.copyfile", failing(shutil.copyfile))
    return lambda: left >= 0


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/hostname", "a/../../b", "..", ""])
def test_a_checkpoint_names_only_files_of_its_own(run: Path, name: str) -> None:
    """A folder from elsewhere must not have other files copied over those of the run."""
    folder = written(run, 1)
    content = json.loads((folder / "state.json").read_bytes())
    content["files"][name] = content["files"]["model.safetensors"]
    text = json.dumps(content).encode()
    (folder / "state.json").write_bytes(text)
    (folder / "seal").write_bytes(checkpoints._seal_of(text))
    with pytest.raises(CheckpointError, match="is no name of a file in it"):
        read(folder)
