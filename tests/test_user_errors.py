"""Users' mistakes, over all commands: each is one line, status 2, and nothing is left behind."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mistakes import document
from tests.mistakes.catalogue import MISTAKES
from tests.mistakes.place import CPU, SMALL, Mistake, contents, furnish, prepare, run

Capture = pytest.CaptureFixture[str]
COMMANDS = (
    *("graphs", "kbert.corpus", "kbert.fill", "kbert.predict", "kbert.pretrain", "kbert.train"),
    *("kgbert.data", "kgbert.evaluate", "kgbert.score", "kgbert.train"),
)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and runs of every kind, to be copied."""
    folder = tmp_path_factory.mktemp("furnished")
    before = Path.cwd()
    os.chdir(folder)
    try:
        furnish(folder)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def place(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A furnished folder of the test's own, as the current one; there is no GPU and no network."""
    folder = tmp_path / "place"
    shutil.copytree(furnished, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KBERT_HOME", "home")
    monkeypatch.setenv("KBERT_DATA", "nowhere")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    import datasets
    import huggingface_hub

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return folder


def name_of(mistake: Mistake) -> str:
    return f"{mistake.command}: {mistake.what}"


def test_the_catalogue_names_every_command_and_each_mistake_once() -> None:
    assert sorted({mistake.command for mistake in MISTAKES}) == list(COMMANDS)
    names = [name_of(mistake) for mistake in MISTAKES]
    assert len(names) == len(set(names)) >= 150
    assert all(mistake.says.strip("…") for mistake in MISTAKES)


def test_the_document_is_up_to_date() -> None:
    """`python -m tests.mistakes.document` writes it."""
    assert document.FILE.read_text(encoding="utf-8") == document.render()


@pytest.mark.parametrize("mistake", MISTAKES, ids=name_of)
def test_a_mistake_is_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, mistake: Mistake
) -> None:
    for name, value in mistake.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mistake.input)))
    prepare(place, mistake.files)
    before = contents(place)
    status = run(mistake.line)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert (status, out) == (2, ""), err
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:], err
    assert "Traceback" not in err and "Warning" not in err
    said = lines[-1].removeprefix("error: ").replace(f"{place}{os.sep}", "")
    assert (
        said.startswith(mistake.says[:-1]) if mistake.says.endswith("…") else (said == mistake.says)
    )
    assert contents(place) == before


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(place: Path) -> Start:
    """Start a command as a user does, in a process of its own."""

    def begin(line: str, **options: int) -> subprocess.Popen[str]:
        repository = str(document.FILE.parents[1])
        return subprocess.Popen(
            [sys.executable, "-m", *shlex.split(line)],
            cwd=place,
            text=True,
            encoding="utf-8",
            stdout=options.get("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": repository},
        )

    return begin


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("graphs info nowhere.spo", "no graph 'nowhere.spo'"),
        ("kbert.train --data data --epoch 3", "unrecognized arguments: --epoch 3; did you mean"),
        ("kbert.predict nowhere x", "nowhere: no such run folder"),
        ("kgbert.score judge nowhere.tsv", "nowhere.tsv: cannot be read"),
    ],
)
def test_a_process_ends_with_status_2(place: Path, start: Start, line: str, said: str) -> None:
    before = contents(place)
    with start(line) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"error: {said}") and err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "kgbert.score judge many.tsv",
        "kbert.predict run --file many.txt",
        "kbert.fill pretrained --file masks.txt",
    ],
)
def test_who_reads_the_first_line_alone_is_no_error(place: Path, start: Start, line: str) -> None:
    many = 5000  # so much that the pipe cannot hold it
    triple = "lithium\tbelongs_to\talkali_metals\n"
    for name, text in (("many.tsv", triple), ("many.txt", "我爱北京\n"), ("masks.txt", "[MASK]\n")):
        (place / name).write_text(many * text, encoding="utf-8")
    with start(line) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=120) == 0


@pytest.mark.slow
def test_an_interrupted_preparation_leaves_nothing(place: Path, start: Start) -> None:
    """Ctrl-C while texts are tokenised, before a step is taken."""
    (place / "long.txt").write_text("a b c d e f g.\n" * 400_000, encoding="utf-8")
    before = contents(place)
    with start(f"kbert.pretrain --texts long.txt --output new {SMALL} {CPU}") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=120) == 130
    assert said.splitlines()[-1] == "interrupted" and "Traceback" not in said
    assert contents(place) == before
