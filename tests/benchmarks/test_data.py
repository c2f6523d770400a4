"""Where data sets are looked for, and SST and TREC in another form."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import data
from benchmarks.data import data_folder, labelled_texts, part_of, write_sst, write_trec
from kbert.errors import DataError


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KBERT_DATA", str(tmp_path))
    assert data_folder() == tmp_path


def test_an_absent_folder_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KBERT_DATA", str(tmp_path / "none"))
    assert data.main([]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert str(tmp_path / "none") in errors and "KBERT_DATA" in errors


def test_without_the_variable_the_folder_beside_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KBERT_DATA", raising=False)
    monkeypatch.setattr(data, "REPOSITORY", tmp_path / "repository")
    with pytest.raises(DataError, match="KBERT_DATA is not set"):
        data_folder()
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert data_folder() == tmp_path / "shared" / "data"


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"kg/HowNet\.spo: no such file"):
        part_of(tmp_path, "kg/HowNet.spo")


def sst(folder: Path, train: str) -> Path:
    for split, text in (("train", train), ("dev", "0 bad\n"), ("test", "1 good , very\n")):
        (folder / f"stsa.binary.{split}").write_text(text, encoding="utf-8")
    return folder


def test_sst_becomes_tables_that_load(tmp_path: Path) -> None:
    write_sst(sst(tmp_path, '1 a "quoted  text\n0 crème brûlée\n'), tmp_path / "tsv")
    found = [(example.label, example.text) for example in labelled_texts(tmp_path / "tsv")]
    assert found == [
        ("1", 'a "quoted  text'),
        ("0", "crème brûlée"),
        ("0", "bad"),
        ("1", "good , very"),
    ]


@pytest.mark.parametrize("line", ["2 neutral", "1", "1 ", "good", "1 two\tcolumns", ""])
def test_a_bad_line_of_sst_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"stsa\.binary\.train:2: expected"):
        write_sst(sst(tmp_path, f"1 fine\n{line}\n0 bad\n"), tmp_path / "tsv")


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    source = sst(tmp_path, "")
    (source / "stsa.binary.train").write_bytes(b"1 fine\n0 caf\xe9\n")
    with pytest.raises(DataError, match=r"stsa\.binary\.train:2: not UTF-8"):
        write_sst(source, tmp_path / "tsv")


def trec(folder: Path, *, train: int) -> Path:
    folder.mkdir()
    lines = [f"{number % 6} question {number} ?\n" for number in range(1, train + 1)]
    (folder / "TREC.train.all").write_text("".join(lines), encoding="utf-8")
    (folder / "TREC.test.all").write_text("5 How far ?\n4 A sister°city ?\n", encoding="utf-8")
    return folder


def table(file: Path) -> list[tuple[str, ...]]:
    header, *rows = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert header == "label\ttext_a"
    return [tuple(row.split("\t")) for row in rows]


def test_every_tenth_question_of_trec_is_for_choosing(tmp_path: Path) -> None:
    write_trec(trec(tmp_path / "trec", train=25), tmp_path / "tsv")
    names = ("DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM")
    everything = [(names[number % 6], f"question {number} ?") for number in range(1, 26)]
    dev = [everything[9], everything[19]]
    assert table(tmp_path / "tsv" / "dev.tsv") == dev
    assert table(tmp_path / "tsv" / "train.tsv") == [row for row in everything if row not in dev]
    assert table(tmp_path / "tsv" / "test.tsv") == [
        ("NUM", "How far ?"),
        ("LOC", "A sister°city ?"),
    ]


@pytest.mark.parametrize("line", ["6 Why ?", "01 Why ?", "Why ?", "1 ", "2", "3 a\tb", "4 a\r"])
def test_a_bad_line_of_trec_is_named(tmp_path: Path, line: str) -> None:
    source = trec(tmp_path / "trec", train=2)
    (source / "TREC.test.all").write_text(f"1 Why ?\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"TREC\.test\.all:2: expected one of 0 1 2 3 4 5"):
        write_trec(source, tmp_path / "tsv")
    assert not (tmp_path / "tsv").exists()


def test_the_command_writes_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KBERT_DATA", str(tmp_path))
    (tmp_path / "en").mkdir()
    trec(tmp_path / "en" / "TREC", train=10)
    target = tmp_path / "tsv"
    assert data.main(["--trec", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert sorted(file.name for file in target.iterdir()) == ["dev.tsv", "test.tsv", "train.tsv"]
    assert data.main(["--sst", str(target)]) == 2
    assert "stsa.binary.train" in capsys.readouterr().err


@pytest.mark.data
def test_real_trec_keeps_every_question(tmp_path: Path, data_dir: Path) -> None:
    write_trec(data_dir / "en" / "TREC", tmp_path)
    sizes = {split: len(table(tmp_path / f"{split}.tsv")) for split in ("train", "dev", "test")}
    assert sizes == {"train": 4907, "dev": 545, "test": 500}
    # Li and Roth 2002 count the classes of the test set; no two sizes are equal.
    published = {"ABBR": 9, "DESC": 138, "ENTY": 94, "HUM": 65, "LOC": 81, "NUM": 113}
    assert Counter(label for label, _ in table(tmp_path / "test.tsv")) == published


@pytest.mark.data
def test_real_sst_keeps_every_line(tmp_path: Path, data_dir: Path) -> None:
    write_sst(data_dir / "en" / "SST", tmp_path)
    assert len(labelled_texts(tmp_path)) == 6920 + 872 + 1821
