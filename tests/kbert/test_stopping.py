"""How trainings are stopped, by whom, what they leave, and how they are gone on with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kbert import checkpoints
from kbert.errors import Stopped
from kbert.finetune import finetune
from kbert.locks import is_going_on
from kbert.resuming import FREE
from kbert.settings import TrainSettings
from kbert.stops import Stop, Stops
from kbert.train import main
from tests.resuming import contents

TINY = ["--layers", "1", "--width", "16", "--heads", "2", "--feed-forward", "32"]
TINY += ["--max-length", "48", "--batch-tokens", "32", "--learning-rate", "0.01"]


@pytest.fixture
def flags(small_data: Path) -> list[str]:
    data = ["--data", str(small_data / "classification"), "--kg", str(small_data / "graph.spo")]
    return [*data, *TINY, "--accelerator", "cpu", "--epochs", "4"]


def stop_at(patch: pytest.MonkeyPatch, step: int, stop: Stop) -> None:
    """Let something ask for the end of the training in a step (from 1)."""
    asked = 0

    def ask(self: Stops) -> Stop:
        nonlocal asked
        asked += 1
        return stop if asked >= step else Stop.NONE

    patch.setattr(Stops, "asked", ask)


def partial_of(output: Path) -> Path:
    (folder,) = output.parent.glob(f"{output.name}.partial-*")
    return folder


@pytest.mark.parametrize(
    ("stop", "status", "named"),
    [
        (Stop.TIME, 0, "--time-limit"),
        (Stop.TERMINATED, 143, "SIGTERM"),
        (Stop.INTERRUPTED, 130, "Ctrl-C"),
    ],
)
def test_a_stopped_run_says_how_it_goes_on_and_ends_as_if_it_had_not(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], stop: Stop, status: int, named: str,
) -> None:  # fmt: skip
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert main([*flags, "--output", str(whole)]) == 0
    monkeypatch.chdir(tmp_path)
    for step in (5, 3):  # of which the second goes on from the first
        with monkeypatch.context() as patch:
            stop_at(patch, step, stop)
            more = ["--resume", str(partial_of(run))] if step == 3 else [*flags, "--output", "run"]
            capsys.readouterr()
            assert main(more) == status
        said = capsys.readouterr()
        assert said.out == "" and not run.exists()
        found = re.fullmatch(
            rf"stopped by {named} after step (\d+) of \d+; go on with:"
            r" python -m kbert\.train --resume (run\.partial-\S+)",
            said.err.splitlines()[-1],
        )
        assert found is not None and (tmp_path / found[2]) == partial_of(run)
        assert int(found[1]) == {5: 5, 3: 8}[step]
    assert main(["--resume", found[2]]) == 0
    made, expected = contents(run), contents(whole)
    for each in (made, expected):
        del each["config.yaml"], each["run.json"]["settings"]["output"]
        del each["checksums.json"]["files"]["run.json"], each["checksums.json"]["seal"]
    assert made == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]
    assert not list(run.glob("*checkpoint*"))


def test_a_run_is_gone_on_with_by_itself(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run = tmp_path / "run"
    auto = [*flags, "--output", str(run), "--resume", "auto"]
    with monkeypatch.context() as patch:
        stop_at(patch, 4, Stop.TERMINATED)
        assert main(auto) == 143
    assert "there is no run of" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        stop_at(patch, 1, Stop.TERMINATED)
        assert main([*auto, "--seed", "2"]) == 143  # another run
    said = capsys.readouterr().err
    assert "--seed 2 (began with 1)" in said and "a new one begins" in said
    assert main([*auto, "--workers", "1", "--time-limit", "100"]) == 0
    said = capsys.readouterr().err
    assert "going on from step 4 of" in said and "--seed 1 (began with 2)" in said
    assert json.loads((run / "metrics.json").read_bytes())["seed"] == 1
    left = partial_of(run)
    assert main(["--resume", str(left)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert checkpoints.has_checkpoint(left)
    assert main(["--resume", str(left), "--output", str(tmp_path / "two")]) == 0
    assert json.loads((tmp_path / "two" / "metrics.json").read_bytes())["seed"] == 2


def test_what_does_not_fit_is_refused_and_kept(
    flags: list[str], small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shutil.copytree(small_data / "classification", tmp_path / "data")
    shutil.copy(small_data / "graph.spo", tmp_path / "graph.spo")
    mine = ["--data", str(tmp_path / "data"), "--kg", str(tmp_path / "graph.spo")]
    with monkeypatch.context() as patch:
        stop_at(patch, 2, Stop.TIME)
        assert main([*flags, *mine, "--output", str(tmp_path / "run")]) == 0
    left = partial_of(tmp_path / "run")
    before = contents(left / "checkpoint-2")

    def refused(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["--resume", str(left), *arguments]) == 2
        said = capsys.readouterr().err
        assert contents(left / "checkpoint-2") == before
        return said.splitlines()[-1]

    other = refused("--epochs", "9", "--clip", "0.5", "--batch-tokens", "32")
    assert other.endswith("--epochs 9 (began with 4); --clip 0.5 (began with 1.0)")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("epochs: 9\nworkers: 0\n", encoding="utf-8")
    assert refused("--config", str(recipe)).endswith(": --epochs 9 (began with 4)")
    text = (tmp_path / "data" / "test.tsv").read_text(encoding="utf-8")
    (tmp_path / "data" / "test.tsv").write_text(text + "好\t我\n", encoding="utf-8")
    assert "cannot be gone on with: the data changed since it began" in refused()
    (tmp_path / "data" / "test.tsv").write_text(text, encoding="utf-8")
    graph = (tmp_path / "graph.spo").read_text(encoding="utf-8")
    (tmp_path / "graph.spo").write_text(graph + "哈\t是\t哈\n", encoding="utf-8")
    assert "the graph" in refused()
    (tmp_path / "graph.spo").write_text(graph, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["--resume", str(left)]) == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "none: no such folder to go on with"),
        ("empty", "empty: holds no checkpoint, so there is nothing to go on from"),
        ("other", "other: is a run of kgbert.train, not of kbert.train"),
    ],
)
def test_folders_that_are_no_such_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("other").mkdir()
    checkpoints.write(Path("other"), step=1, state={"command": "kgbert.train"}, tensors={})
    assert main(["--resume", name]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_free_settings_are_settings() -> None:
    assert TrainSettings().to_mapping().keys() > FREE


def test_a_second_interrupt_ends_at_once_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    stops = Stops(minutes=None, start=0.0)
    with stops.listening():
        assert stops.asked() is Stop.NONE
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stops.asked() is Stop.TERMINATED
        signal.raise_signal(signal.SIGINT)
        assert stops.asked() is Stop.INTERRUPTED
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_time_limit_counts_from_the_start() -> None:
    assert Stops(minutes=0.5, start=time.monotonic() - 29).asked() is Stop.NONE
    assert Stops(minutes=0.5, start=time.monotonic() - 31).asked() is Stop.TIME


def test_other_threads_train_without_signals() -> None:
    """Only a main thread may take signals, and a notebook may train in another."""
    found: list[Stop] = []

    def work() -> None:
        stops = Stops(minutes=None, start=0.0)
        with stops.listening():
            found.append(stops.asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [Stop.NONE]


def test_python_gets_the_reason_and_the_status(
    small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TrainSettings(
        data=str(small_data / "classification"), layers=1, width=8, epochs=1, max_length=48,
        accelerator="cpu", output=str(tmp_path / "run"), batch_tokens=32,
    )  # fmt: skip
    with monkeypatch.context() as patch, pytest.raises(Stopped) as caught:
        stop_at(patch, 1, Stop.TERMINATED)
        finetune(settings)
    assert caught.value.status == 143 and "stopped by SIGTERM after step 1" in str(caught.value)
    report = finetune(settings, resume=partial_of(tmp_path / "run"))
    assert len(report.epochs) == 1 and (tmp_path / "run" / "run.json").is_file()


def test_a_failure_keeps_what_was_done(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """As where the disk is full when the run is done."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("kbert.finetune.write_report", full)
        assert main([*flags, "--output", str(run), "--checkpoint-steps", "5"]) == 2
    told = capsys.readouterr().err
    assert "note: what was done is kept; go on with: python -m kbert.train --resume" in told
    assert "No space left on device" in told.splitlines()[-1]
    assert main(["--resume", str(partial_of(run))]) == 0
    assert (run / "metrics.json").is_file()


def test_one_process_at_a_time(flags: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run.partial-1-a"
    folder.mkdir()
    assert not is_going_on(folder)
    code = (
        "import sys, pathlib, time; from kbert.locks import alone\n"
        "with alone(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        assert is_going_on(folder)
        holder.kill()
    assert not is_going_on(folder)


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def run(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kbert.train", *arguments],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    return run


def until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(text):
            return
    raise AssertionError(f"it never said {text!r}")


@pytest.mark.slow
def test_real_signals(flags: list[str], tmp_path: Path, start: Start) -> None:
    """Whatever stops it, a run with a data worker goes on to the same bits."""
    flags = [*flags, "--epochs", "6", "--checkpoint-steps", "1", "--workers", "1"]
    with start(*flags, "--output", "whole") as process:
        process.communicate(timeout=600)
    expected = contents(tmp_path / "whole")
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)):
        with start(*flags, "--output", "run") as process:
            until(process, "epoch 2/")
            process.send_signal(number)
            assert process.stderr is not None
            said = process.stderr.read()
            process.wait(timeout=600)
        assert process.returncode == status and "Traceback" not in said, said
        with start("--resume", str(partial_of(tmp_path / "run"))) as process:
            _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said
        made = contents(tmp_path / "run")
        assert made["model.safetensors"] == expected["model.safetensors"]
        assert made["metrics.json"] == expected["metrics.json"]
        shutil.rmtree(tmp_path / "run")
