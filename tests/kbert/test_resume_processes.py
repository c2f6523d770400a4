"""Two processes that stop and go on together; and those whose first one was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from safetensors.torch import load_file

from kbert.orphans import end_with
from tests.kbert.pretraining.conftest import documents
from tests.resuming import contents

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PAIR = ("--accelerator", "cpu", "--devices", "2")
SIZES = ("--layers", "1", "--width", "16", "--heads", "2", "--feed-forward", "32")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=900,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    return command


def stopped_and_whole(run: Run, folder: Path, module: str, *flags: str) -> None:
    """Stop at the first step at which processes agree on anything, the tenth; compare the ends."""
    done = run(module, *flags, *PAIR, *SIZES, "--output", "whole")
    assert done.returncode == 0, done.stderr
    done = run(module, *flags, *PAIR, *SIZES, "--output", "run", "--time-limit", "0")
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("stopped by --time-limit after step 10 of "), done.stderr
    done = run(module, "--resume", last.rpartition(" ")[2], "--time-limit", "60")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("going on from step 10") == 1
    made, expected = contents(folder / "run"), contents(folder / "whole")
    ours, theirs = (load_file(folder / name / "model.safetensors") for name in ("run", "whole"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert made["metrics.json"] == expected["metrics.json"]
    assert made.get("metrics.csv") == expected.get("metrics.csv")


@pytest.mark.slow
def test_fine_tuning_with_two_processes(run: Run, small_data: Path, tmp_path: Path) -> None:
    stopped_and_whole(
        run, tmp_path, "kbert.train", "--data", str(small_data / "classification"), "--kg",
        str(small_data / "graph.spo"), "--batch-tokens", "16", "--epochs", "8",
        "--learning-rate", "0.01", "--max-length", "48", "--unfreeze-epochs", "2",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_pre_training_with_two_processes(run: Run, tmp_path: Path, strategy: str) -> None:
    """Also where each process has a share of the weights, and of the optimiser's state."""
    (tmp_path / "texts.txt").write_text(documents(40), encoding="utf-8")
    stopped_and_whole(
        run, tmp_path, "kbert.pretrain", "--texts", "texts.txt", "--lines", "sentence",
        "--vocab-size", "60", "--phases", "8x32", "7x48", "--batch-tokens", "96",
        "--accumulate", "2", "--log-every", "4", "--validate-every", "6", "--held-out", "0.2",
        "--learning-rate", "0.01", "--samples", "0", "--strategy", strategy,
    )  # fmt: skip


@pytest.mark.slow
def test_processes_end_with_the_one_that_started_them(small_data: Path, tmp_path: Path) -> None:
    flags = ["--data", str(small_data / "classification"), "--batch-tokens", "16", *PAIR, *SIZES]
    with subprocess.Popen(
        [sys.executable, "-m", "kbert.train", *flags, "--epochs", "100000", "--max-length", "48"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if line.startswith("epoch 1/"):
                    break
            others = children(process.pid)
        finally:
            process.kill()  # it would not end by itself for long
    assert others
    until = time.monotonic() + 30
    while any(map(alive, others)) and time.monotonic() < until:
        time.sleep(0.1)
    left = [other for other in others if alive(other)]
    for other in left:
        os.kill(other, signal.SIGKILL)
    assert not left


def children(parent: int) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # that one has just ended
            fields = place.read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(place.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_process_whose_parent_is_there_stays() -> None:
    end_with(os.getppid())
    time.sleep(0.05)  # or else there would be nobody to end this line
