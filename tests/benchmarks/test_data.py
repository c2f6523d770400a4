"""Where data sets are looked for, and SST in another form."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import data
from benchmarks.data import data_folder, labelled_texts, part_of, write_sst
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


@pytest.mark.data
def test_real_sst_keeps_every_line(tmp_path: Path, data_dir: Path) -> None:
    write_sst(data_dir / "en" / "SST", tmp_path)
    assert len(labelled_texts(tmp_path)) == 6920 + 872 + 1821
