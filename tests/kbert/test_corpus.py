"""`python -m kbert.corpus`: what it makes, every mistake as one line, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kbert.corpus import main
from kbert.pretraining.build import build_corpus
from kbert.pretraining.shards import Corpus
from kbert.pretraining.vocabulary import train_vocabulary
from kbert.tokenizer import Tokenizer

TEXT = "ab ca. De!\nfg。我 hi；x\n\n\n我。\n\nab\n   \n我 我\n"
COMMAND = [sys.executable, "-m", "kbert.corpus"]
REPOSITORY = Path(__file__).resolve().parents[2]

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "t.txt"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_the_three_commands(file: Path, tmp_path: Path, capsys: Capture) -> None:
    vocabulary, corpus = tmp_path / "vocabulary", str(tmp_path / "corpus")
    assert main(["vocabulary", str(file), "--size", "50", "-o", str(vocabulary)]) == 0
    vocab = str(vocabulary / "vocab.txt")
    assert main(["build", str(file), "--vocab", vocab, "-o", corpus, "--workers", "1"]) == 0
    built = capsys.readouterr().out
    assert "8 sentences, 4 documents" in built
    assert main(["info", corpus]) == 0
    assert capsys.readouterr().out == built[built.index(corpus) :]
    Corpus.open(corpus, tokenizer=Tokenizer.from_pretrained(vocabulary))


def test_build_learns_its_vocabulary(file: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "corpus")
    arguments = ["build", str(file), "-o", target, "--workers", "1", "--vocab-size", "50"]
    assert main([*arguments, "--cased"]) == 0
    corpus = Corpus.open(target, tokenizer=train_vocabulary([file], size=50, lowercase=False))
    assert corpus.counts.unknown == 0


def test_mistakes_are_one_line_and_leave_nothing(
    file: Path, tmp_path: Path, capsys: Capture
) -> None:
    texts, corpus, vocabulary = str(file), str(tmp_path / "corpus"), str(tmp_path / "vocabulary")
    assert main(["vocabulary", texts, "--size", "50", "-o", vocabulary]) == 0
    vocab = f"{vocabulary}/vocab.txt"
    assert main(["build", texts, "--vocab", vocab, "-o", corpus, "--workers", "1"]) == 0
    before = {*tmp_path.rglob("*")}
    capsys.readouterr()
    new, long = str(tmp_path / "new"), str(tmp_path / ("x" * 300))
    build, learn = ["build", texts, "-o"], ["vocabulary", texts, "-o"]
    for arguments, message in (
        ([*build, corpus, "--vocab", vocab], "replace it with --overwrite"),
        ([*build, vocab, "--vocab", vocab, "--overwrite"], "is there already, and no corpus"),
        ([*build, long, "--vocab", vocab], "cannot be read: File name too long"),
        ([*build, f"{vocab}/x", "--vocab", vocab], "cannot be written: "),
        ([*build, "", "--vocab", vocab], "is no name for a new folder"),
        ([*build, new, "--vocab", f"{vocab}.txt"], "vocab.txt.txt: no such file"),
        ([*build, new, "--vocab", long], "File name too long"),
        ([*build, new, "--vocab", corpus], "holds neither tokenizer.json nor vocab.txt"),
        (["build", texts, *build[1:], new, "--vocab", vocab], "is given twice"),
        ([*build, new, "--vocab", vocabulary, "--cased"], "--cased is for a vocab.txt"),
        ([*build, new, "--vocab-size", "5"], "of 5 pieces has no room"),
        ([*build, new, "--vocab-size", "-1"], "of -1 pieces has no room"),
        ([*learn, new, "--size", "0"], "of 0 pieces has no room"),
        ([*learn, vocabulary, "--size", "50"], "is there already; name a new folder"),
        ([*learn, vocab, "--size", "50"], "is there already; name a new folder"),
        ([*learn, long, "--size", "50"], "cannot be read: File name too long"),
        ([*learn, f"{vocab}/x", "--size", "50"], "cannot be written: "),
        (["info", str(tmp_path)], "is no corpus"),
        (["info", long], "is no corpus"),
        (["build", corpus, "--vocab", vocab, "-o", new], "is a corpus already"),
        (["build", f"{texts}.txt", "--vocab", vocab, "-o", new], "no such file or folder"),
    ):
        assert main(arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error and error.startswith("error: ") and error.count("\n") == 1, error
        assert {*tmp_path.rglob("*")} == before


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_no_processes(file: Path, count: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["build", str(file), "-o", "x", "--vocab-size", "50", "--workers", count])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and "is no number of processes; give 1 or more" in error
    assert error.count("\n") == 1


def test_a_vocabulary_is_written_whole_or_not_at_all(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    target = file.parent / "vocabulary"
    target.mkdir()  # an empty folder may stand there
    save = Tokenizer.save

    def fail(tokenizer: Tokenizer, folder: Path) -> None:
        save(tokenizer, folder)
        raise OSError(28, "No space left on device")

    for full in (True, False):
        monkeypatch.setattr(Tokenizer, "save", fail if full else save)
        status = main(["vocabulary", str(file), "--size", "50", "-o", str(target)])
        assert status == (2 if full else 0)
        assert {path.name for path in file.parent.iterdir()} == {"t.txt", "vocabulary"}
        assert bool([*target.iterdir()]) != full
    assert "vocabulary: cannot be written: No space left" in capsys.readouterr().err


def test_names_that_are_no_text(file: Path, capsys: Capture) -> None:
    source = file.rename(file.parent / os.fsdecode(b"\xff.txt"))
    target = str(file.parent / os.fsdecode(b"out\xfe"))
    build = ["build", str(source), "-o", target, "--vocab-size", "50", "--workers", "1"]
    assert main(build) == main(["info", target]) == 0
    assert "8 sentences" in capsys.readouterr().out


def run(*arguments: str | Path, **settings: object) -> subprocess.Popen[str]:
    """Begin a command in a session of its own, as a terminal does."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=REPOSITORY, start_new_session=True, text=True,
        stderr=subprocess.PIPE, **settings,
    )  # fmt: skip


def test_results_that_cannot_be_written(file: Path) -> None:
    corpus = build_corpus([file], file.parent / "o", tokenizer=Tokenizer.train(["ab"]))
    with Path("/dev/full").open("w") as full, run("info", corpus.path, stdout=full) as process:
        error = process.communicate()[1]
    assert (process.returncode, error.count("\n")) == (2, 1)
    assert error == "error: the result cannot be written: No space left on device\n"
    named = corpus.path.rename(file.parent / os.fsdecode(b"out\xfe"))
    with run("info", named, stdout=subprocess.PIPE) as process:
        out, error = process.communicate()
    assert (process.returncode, error) == (0, "") and r"out\udcfe: " in out


def started(file: Path) -> subprocess.Popen[str]:
    """Begin a build that takes a while; return when it has begun to write."""
    file.write_text("ab ca. De!\n" * 200_000, encoding="utf-8")
    Tokenizer.train(["ab"]).save(file.parent.parent)
    vocab, target = file.parent.parent / "vocab.txt", file.parent / "o"
    process = run("build", file, "-o", target, "--vocab", vocab, "--workers", "2")
    while process.poll() is None and not [*file.parent.glob(".o.partial-*/result/data")]:
        time.sleep(0.01)
    assert process.poll() is None
    return process


@pytest.mark.slow
def test_what_a_killed_build_leaves_is_removed_by_the_next(file: Path) -> None:
    with started(file) as process:
        time.sleep(0.5)
        process.kill()
    left = {path.name.split("-")[0] for path in file.parent.iterdir()}
    assert left == {"t.txt", ".o.lock", ".o.partial"}
    file.write_text(TEXT, encoding="utf-8")
    build_corpus([file], file.parent / "o", tokenizer=Tokenizer.train(["ab"]))
    assert {path.name for path in file.parent.iterdir()} == {"t.txt", "o"}


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.3, 0.8])  # workers are starting, or at work
def test_an_interrupt_is_one_word(file: Path, wait: float) -> None:
    with started(file) as process:
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers, too
        said = process.communicate()[1].splitlines()
    assert process.returncode == 130 and said[-1] == "interrupted"
    assert not any("Traceback" in line or "KeyboardInterrupt" in line for line in said)
    assert {path.name for path in file.parent.iterdir()} == {"t.txt"}
