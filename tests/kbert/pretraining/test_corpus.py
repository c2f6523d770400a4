"""Reading texts as a stream of lines, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from kbert.errors import DataError
from kbert.pretraining.corpus import Columns, find_sources, read_lines
from kbert.pretraining.shards import Corpus

TEXT = "\ufeff第一句。\r\n 第二句 \n\n\u3000\n另一篇\n"
LINES = ["第一句。", "第二句", "", "", "另一篇", ""]


def read(*places: Path | str, **columns: Any) -> list[str]:
    notes: list[str] = []
    sources = find_sources(places, announce=notes.append)
    return list(read_lines(sources, columns=Columns(**columns)))


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture(params=[".txt", ".txt.gz", ".txt.zst", ".TXT"])
def text_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}
    suffix = Path(request.param).suffix
    return written(tmp_path / f"a{request.param}", pack.get(suffix, bytes)(TEXT.encode()))


def test_text_files_plain_or_compressed(text_file: Path) -> None:
    assert read(text_file) == LINES


def test_a_file_ends_a_document(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.txt", f"{n}".encode()) for n in range(2)]
    assert read(*files) == ["0", "", "1", ""]


def test_rows_of_json_lines_and_parquet_are_documents(tmp_path: Path) -> None:
    texts = ["一。\n\n二 \r\n", "", "three"]
    rows = [{"id": n, "body": text} for n, text in enumerate(texts)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows * 300), tmp_path / "a.parquet")
    expected = ["一。", "二", "", "", "three", ""]
    assert read(written(tmp_path / "a.jsonl", lines.encode()), text="body") == expected
    packed = written(tmp_path / "b.jsonl.gz", gzip.compress(lines.encode() + b"\n", mtime=0))
    assert read(packed, text="body") == expected
    assert read(tmp_path / "a.parquet", text="body") == expected * 300


def test_bytes_told_are_those_of_the_files(tmp_path: Path, text_file: Path) -> None:
    table = pyarrow.Table.from_pylist([{"text": "x"}] * 1000)
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    for path in (text_file, tmp_path / "a.parquet"):
        told: list[int] = []
        sources = find_sources([path], announce=print)
        list(read_lines(sources, columns=Columns(), progress=told.append))
        assert sum(told) == path.stat().st_size and min(told) >= 0


def test_a_folder_is_read_whole_in_order(tmp_path: Path) -> None:
    kept_out = ("README.md", ".hidden.txt", ".git/x.txt", ".git/y.txt")
    for name in ("b/1.txt", "a.txt", "b.jsonl", "z/y/0.txt.gz", *kept_out):
        content = json.dumps({"text": name}) if name.endswith("l") else name
        data = content.encode()
        written(tmp_path / name, gzip.compress(data, mtime=0) if name.endswith("gz") else data)
    notes: list[str] = []
    sources = find_sources([tmp_path], announce=notes.append)
    lines = list(read_lines(sources, columns=Columns()))
    assert lines[::2] == ["a.txt", "b.jsonl", "b/1.txt", "z/y/0.txt.gz"] and not any(lines[1::2])
    assert notes == [f"{tmp_path}: 3 other files or folders, not used, such as .git"]


def test_links_and_corpora_in_a_folder_are_kept_out(tmp_path: Path, small_corpus: Corpus) -> None:
    folder = tmp_path / "in"
    file = written(folder / "sub/a.txt", b"a")
    shutil.copytree(small_corpus.path, folder / "sub/corpus")  # its vocabulary is no text
    (folder / "around").symlink_to(folder)
    (folder / "broken.txt").symlink_to(tmp_path / "absent.txt")
    (folder / "linked.txt").symlink_to(written(tmp_path / "b.txt", b"b"))
    notes: list[str] = []
    found = find_sources([folder], announce=notes.append)
    assert [source.path for source in found] == [folder / "linked.txt", file]
    assert notes == [f"{folder}: 3 other files or folders, not used, such as around"]
    with pytest.raises(DataError, match="is a corpus already; give the texts that it was made of"):
        find_sources([small_corpus.path], announce=notes.append)


def test_a_folder_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "a.txt", b"a"), written(tmp_path / "closed" / "b.txt", b"b")
    scan = os.scandir

    def closed(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(DataError, match="closed: cannot be read: Permission denied"):
        find_sources([tmp_path], announce=print)


def test_a_file_under_two_names_is_given_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "a.txt", b"a")
    (tmp_path / "b.txt").symlink_to(file)
    monkeypatch.chdir(tmp_path)
    for other in ("a.txt", "./a.txt", tmp_path / "b.txt", tmp_path):
        with pytest.raises(DataError, match="is given twice; give it once"):
            find_sources([file, other], announce=print)


def test_a_data_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    content = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": ["a\nb", "c"]})})
    monkeypatch.setattr(datasets, "load_dataset", lambda source, config: content)
    monkeypatch.setattr("kbert.nn.hub.has_dataset", lambda name: name == "o/wiki")
    assert read("o/wiki") == ["a", "b", "", "c", ""]
    with pytest.raises(DataError, match="o/wiki: has no split 'dev', but train"):
        read("o/wiki", split="dev")
    with pytest.raises(DataError, match="o/wiki/train: no column 'txt', but 'text'; did you mean"):
        read("o/wiki", text="txt")
    with pytest.raises(DataError, match="o/wik: no such file or folder here, nor data set"):
        read("o/wik")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.txt",
            "好\n北京".encode("gb18030"),
            r"a\.txt:1: byte 0xba .* iconv -f GB18030 -t UTF-8$",
        ),
        ("a.txt", b"ok\n\xff\xfea\n", r"a\.txt:2: byte 0xff at 1 is not UTF-8; save the file"),
        ("a.txt", "ok".encode("utf-16-le"), r"a\.txt:1: holds a NUL"),
        ("a.txt", "ok".encode("utf-16"), r"a\.txt: is UTF-16, not UTF-8; convert it: iconv"),
        ("a.txt", "\ufeff好".encode("utf-16-be"), r"a\.txt: is UTF-16, not UTF-8; convert it"),
        ("a.jsonl", b"x" * (16 << 20) + b"y", r"a\.jsonl:1: .* 16 MiB; make several rows of it"),
        ("a.txt", b"x" * (16 << 20) + b"y", r"a\.txt:1: a line of more than 16 MiB"),
        ("a.txt.gz", gzip.compress(b"hello\n" * 99, mtime=0)[:-9], r"a\.txt\.gz.*damaged gzip"),
        (
            "a.txt.gz",
            gzip.compress("好".encode("gbk"), mtime=0),
            r"unpack it and convert it: iconv",
        ),
        ("a.jsonl", b'{"text": 1}', r"a\.jsonl:1: column 'text' holds int, not a text"),
        (
            "a.jsonl",
            b'{"text": "a"}\n{"text": null}',
            r"a\.jsonl:2: column 'text' holds null, not a text; leave such rows out$",
        ),
        ("a.jsonl", b'{"txt": "a"}', r"a\.jsonl:1: no column 'text', but 'txt'; did you mean"),
        ("a.jsonl", b"\n[1]", r"a\.jsonl:2: each line must be an object, not list"),
        ("a.jsonl", b"{", r"a\.jsonl:1: bad JSON"),
        ("a.jsonl", b"[" * 200_000, r"a\.jsonl:1: bad JSON"),
        ("a.jsonl", rb'{"text": "\ud800"}', r"a\.jsonl:1: the text holds a lone surrogate"),
        ("a.parquet", b"PAR1", r"a\.parquet: cannot be read as Parquet"),
        ("a.csv", b"text\nx", r"a\.csv: no file of texts; it must be NAME\.txt"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(written(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_parquet_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    offsets = np.array([0, 2, 5], dtype=np.int32).tobytes()
    texts = pyarrow.StringArray.from_buffers(
        2, pyarrow.py_buffer(offsets), pyarrow.py_buffer(b"okab\xff")
    )
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet:2: the text is not UTF-8; write it as such$"):
        read(tmp_path / "a.parquet")


def test_bad_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"/no/such\.txt: no such file or folder"):
        read("/no/such.txt")
    with pytest.raises(DataError, match="holds no file of texts"):
        read(tmp_path)
    with pytest.raises(DataError, match="is given twice"):
        read(*[written(tmp_path / "a.txt", b"x")] * 2)
    with pytest.raises(DataError, match="no sources"):
        read()
    with pytest.raises(DataError, match="give a list"):
        find_sources("a.txt", announce=print)


def test_a_document_is_never_held_whole(tmp_path: Path) -> None:
    """The first lines come before the rest of the file has been read."""
    file = written(tmp_path / "a.txt", b"one line of the same document\n" * 500_000)
    told: list[int] = []
    sources = find_sources([file], announce=print)
    stream = read_lines(sources, columns=Columns(), progress=told.append)
    for _ in range(1000):
        next(stream)
    assert sum(told) < file.stat().st_size / 10
