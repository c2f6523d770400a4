"""A user's mistake is one line on standard error and status 2; nothing is written, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs.commands import console

Run = Callable[..., Any]
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files that have something wrong with them, as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KBERT_HOME", str(tmp_path / "home"))
    (tmp_path / "kg.spo").write_text("aa\tr\tb\n")
    (tmp_path / "bad.spo").write_text("aa\tr\tb\nonly two\tfields\n")
    (tmp_path / "bad.nt").write_text("<http://x/a> <http://x/r> .\n")
    (tmp_path / "empty.spo").write_text("")
    (tmp_path / "kg.xyz").write_text("aa\tr\tb\n")
    (tmp_path / "control.nt").write_text('<http://x/a> <http://x/r> "\\u0007" .\n')
    (tmp_path / "tab.nt").write_text("<urn:graphs:a%09b> <urn:graphs:r> <urn:graphs:c> .\n")
    (tmp_path / "kg.spo.gz").write_bytes(b"\x1f\x8b broken")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "texts.txt").write_text("aa\n")
    (tmp_path / "none.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "texts.tsv").write_text("text_a\tlabel\naa\n")
    (tmp_path / "gold.tsv").write_text("text_a\tlabel\na b\tO O\na b\tO\n")
    return tmp_path


MISTAKES = [
    ("", "required: COMMAND"),
    ("nonsense", "invalid choice: 'nonsense'"),
    ("info", "required: GRAPH"),
    ("info nonsense", "no graph 'nonsense'"),
    ("info cn_dbpedja", "did you mean 'cn_dbpedia'"),
    ("info hownet", "is not on this machine"),
    ("info empty.spo", "holds no triple"),
    ("info bad.spo", "bad.spo:2: 2 fields instead of 3"),
    ("info bad.nt", "bad.nt:1:"),
    ("info kg.xyz", "unknown format"),
    ("info kg.spo.gz", "damaged gzip file"),
    ("info folder", "folder"),
    ("info kg.spo --jsn", "unrecognized arguments: --jsn"),
    ("info kg.spo --on-error maybe", "invalid choice: 'maybe'"),
    ("info kg.spo --picture kg.bmp", "a picture's suffix is one of .png"),
    ("info kg.spo --picture missing/kg.png", "cannot be written"),
    ("facts kg.spo", "required: NAME"),
    ("facts kg.spo zz", "has nothing called 'zz'"),
    ("facts kg.spo AA", "did you mean 'aa'"),
    ("facts kg.spo aa --limit -1", "--limit is -1"),
    ("facts kg.spo aa --limit x", "invalid int value: 'x'"),
    ("link kg.spo", "required: TEXT"),
    ("link kg.spo aa --min-length 0", "min_length is 0"),
    ("link kg.spo \udcff", "TEXT is not UTF-8"),
    ("export kg.spo", "which format?"),
    ("export kg.spo --format turtle", "no format 'turtle'"),
    ("export kg.spo --format parquet", "parquet is no text"),
    ("export kg.spo -o out.csv", "names no format"),
    ("export kg.spo -o out.nt --format ttl", "suffix says nt"),
    ("export kg.spo -o missing/out.nt", "cannot be written"),
    ("export kg.spo -o folder --format nt", "is a folder"),
    ("export control.nt --format graphml", "U+0007"),
    ("export tab.nt --format tsv", "tsv cannot hold a TAB"),
    ("coverage kg.spo", "required: TEXTFILE"),
    ("coverage kg.spo missing.txt", "missing.txt: cannot be read"),
    ("coverage kg.spo none.txt", "none.txt: holds no text"),
    ("coverage kg.spo -", "holds no text"),
    ("coverage kg.spo latin.txt", "latin.txt:1: 0xe9 at byte 4 is not UTF-8"),
    ("coverage kg.spo texts.tsv", "texts.tsv:2: 1 cells instead of 2"),
    ("coverage kg.spo texts.txt --column a", "has no columns"),
    ("coverage kg.spo - --column a", "leave out --column"),
    ("coverage kg.spo gold.tsv --column c", "no column 'c'"),
    ("coverage kg.spo texts.txt --gold gold.tsv", "gold.tsv:3: 2 words, but 1 tags"),
    ("coverage kg.spo texts.txt --gold texts.txt", "is no table"),
    ("coverage kg.spo texts.txt --gold gold.tsv --label y", "no column 'y' with labels"),
    ("coverage kg.spo texts.txt --max-facts -1", "max_facts is -1"),
    ("splits missing", "missing"),
    ("splits folder", "folder"),
    ("build kg.spo", "required: -o/--output"),
    ("build missing.spo -o out", "missing.spo"),
    ("build bad.spo -o out", "bad.spo:2: 2 fields instead of 3"),
    ("build kg.xyz -o out", "unknown format"),
    ("build empty.spo -o out", "empty.spo"),
    ("build kg.spo -o folder", "folder"),
    ("build kg.spo -o file", "file"),
    ("build kg.spo --names missing.txt -o out", "missing.txt"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES)
def test_a_mistake_is_one_line(run: Run, place: Path, line: str, said: str) -> None:
    before = sorted(place.rglob("*"))
    done = run(*line.split())
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("error: ") and said in done.err
    assert done.err.count("\n") == 1 and done.err.endswith("\n")
    after = [path for path in sorted(place.rglob("*")) if path.suffix != ".lock"]
    assert after == before


def test_without_matplotlib_pictures_say_how_to_get_it(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run("info", "kg.spo", "--picture", "kg.png")
    assert (done.status, done.out) == (2, "")
    assert done.err == "error: pictures need matplotlib: pip install 'kbert[plots]'\n"


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "graphs", *arguments], cwd=REPOSITORY, text=True, **options
    )  # type: ignore[call-overload, no-any-return]


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom graphs.__main__ import main\n"
        "try:\n    main(['coverage', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'rdflib', 'networkx', 'sklearn', 'scipy', 'matplotlib', 'pyarrow'}\n"
        "sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--gold" in done.stdout


def test_a_reader_that_goes_away_ends_the_command_in_silence() -> None:
    process = start(
        "export", "cn_dbpedia_sample", "--format", "nt",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().endswith(" .\n")
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0
    process.stderr.close()


def test_an_interrupt_is_one_word() -> None:
    process = start(
        "link", "cn_dbpedia_sample", "-",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("北京\n")
    process.stdin.flush()
    assert process.stdout.readline() == "北京\n"  # a line is answered before the next is read
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("command", [["info", "--json"], ["export", "--format", "nt"]])
def test_a_full_disk_is_one_line(command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start(
            command[0], "cn_dbpedia_sample", *command[1:], stdout=full, stderr=subprocess.PIPE
        )
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == "error: the result cannot be written: No space left on device\n"


def test_an_error_of_ours_keeps_its_traceback() -> None:
    def fail() -> None:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        console.guard(fail)
