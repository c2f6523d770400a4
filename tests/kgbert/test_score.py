"""`python -m kgbert.score`: the scorer's scores, however the work was divided or stopped."""

from __future__ import annotations

import gzip
import itertools
import os
import threading
from pathlib import Path

import pytest

from kgbert import TripleScorer, score_shards
from kgbert.score import Pace, main
from tests.kgbert.runs import DATA, write_run

IDS = [
    (DATA.entities[h], DATA.relations[r], DATA.entities[t]) for h, r, t in DATA.train[:25].tolist()
]
LINES = ["\t".join(row) for row in IDS]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "links")


@pytest.fixture(scope="module")
def expected(run: Path) -> list[str]:
    scores = TripleScorer.from_pretrained(run).score(IDS)
    return [f"{line}\t{score:.9g}" for line, score in zip(LINES, scores, strict=True)]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_shards, "BLOCK", 4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "triples.tsv"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def score(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_every_line_is_given_back_with_its_score(
    run: Path, file: Path, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(run, file) == 0
    assert capsys.readouterr().out.splitlines() == expected
    packed = file.with_suffix(".tsv.gz")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert score(run, packed, "-o", file.with_name("out.tsv")) == 0
    assert lines_of(file.with_name("out.tsv")) == expected
    assert sorted(p.name for p in file.parent.iterdir()) == ["out.tsv", file.name, packed.name]


@pytest.mark.parametrize(("shards", "order"), [(2, (2, 1)), (3, (1, 2, 3)), (9, range(9, 0, -1))])
def test_shards_together_are_the_whole(
    run: Path, file: Path, expected: list[str], shards: int, order: tuple[int, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = file.with_name("out.tsv")
    for shard in order[:-1]:
        assert score(run, file, "-o", out, "--shard", f"{shard}/{shards}") == 0
    assert score(run, file, "-o", out, "--merge") == 2
    assert f"1 of {shards} shards are not done: --shard {order[-1]}/{shards}" in (
        capsys.readouterr().err
    )
    assert not out.exists()
    for _ in range(2):
        assert score(run, file, "-o", out, "--shard", f"{order[-1]}/{shards}") == 0
    assert "is done already" in capsys.readouterr().err
    assert score(run, file, "-o", out, "--merge") == 0
    assert lines_of(out) == expected
    assert not out.with_name("out.tsv.shards").exists()


def test_what_was_done_before_a_kill_is_not_done_again(
    run: Path, file: Path, expected: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = file.with_name("out.tsv")
    calls = itertools.count()
    whole = TripleScorer.score

    def killed(*arguments: object, **settings: object) -> object:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return whole(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(TripleScorer, "score", killed)
    assert score(run, file, "-o", out) == 130
    assert not out.exists()
    partial = out.with_name("out.tsv.shards") / "1-of-1.partial"
    with partial.open("ab") as opened:
        opened.write(b"a line that was not finished")
    assert score(run, file, "-o", out) == 0
    assert "12 of 25 triples are there already" in capsys.readouterr().err
    assert next(calls) == 3 + 1 + 4  # seven blocks, and the one that was stopped again
    assert lines_of(out) == expected


def test_two_processes_do_not_write_one_shard(run: Path, file: Path) -> None:
    out = file.with_name("out.tsv")
    job = score_shards.Job.survey(run, file, settings={}, shards=1)
    folder = score_shards.Shards(out)
    folder.begin(job)
    with (
        folder.write(1, shards=1) as (there, _),
        pytest.raises(score_shards.RunError, match="another process"),
        folder.write(1, shards=1),
    ):
        assert there == 0


def test_rows_of_shards_add_up(run: Path, file: Path) -> None:
    for rows, shards in itertools.product(range(14), range(1, 5)):
        job = score_shards.Job({}, rows)
        counted = [0] * shards
        for row in range(rows):
            counted[row // 4 % shards] += 1
        assert [job.rows_of(i, shards=shards) for i in range(1, shards + 1)] == counted


def test_mistakes_are_one_line(run: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.with_name("out.tsv")

    def refused(*arguments: object) -> str:
        assert score(*arguments) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        return said.err

    bad = file.with_name("bad.tsv")
    bad.write_text(f"{LINES[0]}\n\n{LINES[1]}\t1\n")
    assert f"{bad}:3: 4 columns, not head TAB relation TAB tail" in refused(run, bad, "-o", out)
    bad.write_text(f"{LINES[0]}\n{IDS[0][0]}\tlikes\t{IDS[0][2]}\n")
    assert f"{bad}:2: 'likes' is neither id nor text of any relation" in refused(run, bad)
    assert "cannot be read" in refused(run, file.with_name("absent.tsv"))
    assert "expected i/n" in refused(run, file, "-o", out, "--shard", "3/2")
    assert "need --output-file" in refused(run, file, "--shard", "1/2")
    assert "no shards; compute them" in refused(run, file, "-o", out, "--merge")
    assert "nothing is calibrated" in refused(run, file, "--score", "calibrated")
    out.write_text("mine")
    assert "exists already" in refused(run, file, "-o", out)
    assert out.read_text() == "mine"


def test_a_pipe_is_scored_but_not_in_shards(
    run: Path, file: Path, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What can be read only once has nothing left when it is read for the second time."""
    pipe, out = file.with_name("pipe"), file.with_name("out.tsv")
    os.mkfifo(pipe)
    assert score(run, pipe, "-o", out) == 2
    assert "pipe: is no regular file" in capsys.readouterr().err
    assert not out.with_name("out.tsv.shards").exists()
    writer = threading.Thread(target=pipe.write_bytes, args=(file.read_bytes(),))
    writer.start()
    assert score(run, pipe) == 0
    writer.join()
    assert capsys.readouterr().out.splitlines() == expected


def test_shards_of_another_job_are_refused(
    run: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = file.with_name("out.tsv")
    assert score(run, file, "-o", out, "--shard", "1/2") == 0
    assert score(run, file, "-o", out, "--shard", "2/2", "--score", "logit") == 2
    assert "holds shards of another job, with other score" in capsys.readouterr().err
    file.write_text("\n".join(LINES[:9]) + "\n")
    assert score(run, file, "-o", out, "--shard", "2/2") == 2
    assert "with other triples, rows" in capsys.readouterr().err


def test_what_is_left_out_is_counted(
    run: Path, file: Path, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, texts = file.with_name("out.tsv"), file.with_name("texts.tsv")
    new = [f"X1\t{IDS[0][1]}\t{IDS[0][2]}", f"X2\t{IDS[0][1]}\t{IDS[0][2]}"]
    file.write_text("\n".join([*new, *LINES]) + "\n")
    texts.write_text(f"X1\t{DATA.texts.entity(int(DATA.train[0, 0]))}\n")
    assert score(run, file, "-o", out, "--on-missing", "skip", "--texts", texts) == 0
    assert "1 triples are left out (nan)" in capsys.readouterr().err
    found = lines_of(out)
    assert found[2:] == expected and found[1] == f"{new[1]}\tnan"
    assert found[0].split("\t")[3] == expected[0].split("\t")[3]


def test_what_is_left_out_of_a_stream_is_counted(
    run: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(f"X1\t{IDS[0][1]}\t{IDS[0][2]}\n{LINES[0]}\n")
    assert score(run, file, "--on-missing", "skip") == 0
    captured = capsys.readouterr()
    assert "1 triples are left out (nan)" in captured.err
    assert captured.out.splitlines()[0].endswith("\tnan") and captured.out.count("\n") == 2
    assert score(run, file, "--on-missing", "skip", "--batch-tokens", "0") == 2


def test_progress_says_when_it_ends() -> None:
    said: list[str] = []
    times = iter([0.0, 5.0, 20.0, 25.0])
    pace = Pace(10_000, there=1000, say=said.append, clock=lambda: next(times))
    for done in (2000, 3000, 4000):
        pace.step(done)
    assert said == ["3,000 of 10,000 triples, 100 a second, 0:01:10 left"]
