"""Texts come out of every form as they went in, and what does not fit is an error with its line."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs import GraphError, ParseError
from graphs.texts import join_words, read_records, read_stream, read_texts

some_paths = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n\t"))


def written(folder: Path, name: str, content: str) -> Path:
    file = folder / name
    data = content.encode("utf-8")
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return file


@some_paths
@given(texts=st.lists(text.filter(lambda each: not each.startswith("\ufeff")), max_size=5))
def test_every_form_gives_the_texts(tmp_path: Path, texts: list[str]) -> None:
    lines = "".join(f"{each}\n" for each in texts)
    assert list(read_texts(written(tmp_path, "a.txt.gz", lines))) == texts
    assert list(read_stream(io.BytesIO(lines.encode()), name="x")) == texts
    table = "label\ttext\n" + "".join(f"1\t{each}\n" for each in texts)
    assert list(read_texts(written(tmp_path, "a.tsv", table))) == texts
    objects = "".join(json.dumps({"text": each}) + "\n" for each in texts)
    assert list(read_texts(written(tmp_path, "a.jsonl", objects))) == texts


@some_paths
@given(texts=st.lists(text | text.map(lambda each: each + '\n"'), max_size=5))
def test_csv_gives_the_texts(tmp_path: Path, texts: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([["text", "n"], *([t, "1"] for t in texts)])
    assert list(read_texts(written(tmp_path, "a.csv", file.getvalue()))) == texts


def test_the_column_is_chosen_or_usual(tmp_path: Path) -> None:
    file = written(tmp_path, "a.tsv", "text\ttext_a\tbody\n1\t2\t3\n\n")
    assert list(read_texts(file)) == ["2"]
    assert list(read_texts(file, column="body")) == ["3"]
    with pytest.raises(GraphError, match=r"no column 'bodi'; there are .*did you mean 'body'"):
        list(read_texts(file, column="bodi"))
    with pytest.raises(GraphError, match="which column holds the texts"):
        list(read_texts(written(tmp_path, "b.tsv", "a\tb\n1\t2\n")))
    with pytest.raises(GraphError, match="has no columns to choose 'a' from"):
        read_texts(written(tmp_path, "b.txt", "a"), column="a")
    with pytest.raises(GraphError, match="is no table"):
        read_records(tmp_path / "b.txt")


def test_words_are_put_together_as_they_are_written(tmp_path: Path) -> None:
    assert join_words(["中", "国", "人"]) == ("中国人", ((0, 1), (1, 2), (2, 3)))
    assert join_words(["New", "York", "市", "!"]) == (
        "New York市!", ((0, 3), (4, 8), (8, 9), (9, 10))
    )  # fmt: skip
    assert join_words(["a", "", "b"]) == ("a b", ((0, 1), (1, 1), (2, 3)))
    assert join_words([]) == ("", ())
    file = written(tmp_path, "a.tsv", "text_a\n中 国\n")
    assert list(read_texts(file, words=True)) == ["中国"]
    file = written(tmp_path, "a.jsonl", '{"text": ["New", "York"]}\n')
    assert list(read_texts(file, words=True)) == ["New York"]
    assert list(read_texts(written(tmp_path, "a", "中 国\n"), words=True)) == ["中国"]


@given(words=st.lists(text.filter(bool), max_size=6))
def test_words_stand_where_they_are_said_to(words: list[str]) -> None:
    joined = join_words(words)
    assert [joined.text[start:end] for start, end in joined.spans] == words


@pytest.mark.parametrize(
    ("name", "content", "line", "said"),
    [
        ("a.tsv", "text\tlabel\nx\n", 2, "1 cells instead of 2"),
        ("a.tsv", "", 1, "no header"),
        ("a.tsv", "text\ttext\n", 1, "named twice"),
        ("a.tsv", "text\nx\0\n", 2, "NUL"),
        ("a.csv", 'text\n"x\n', 2, "not CSV"),
        ("a.csv", 'text\n"x"y\n', 2, "not CSV"),
        ("a.csv", "text\nx,y\n", 2, "2 cells instead of 1"),
        ("a.jsonl", '{"text": 1}\n', 1, "int, not a string"),
        ("a.jsonl", '{"text": "x"}\n{"txt": "x"}\n', 2, "missing"),
        ("a.jsonl", '{"text": "x"}\n{\n', 2, "not JSON"),
        ("a.jsonl", "[1]\n", 1, "not a JSON object"),
        ("a.jsonl", "[" * 100_000, 1, "nested too deeply"),
        ("a.txt", "x\0", 1, "NUL"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, name: str, content: str, line: int, said: str) -> None:
    with pytest.raises(ParseError, match=said) as caught:
        list(read_texts(written(tmp_path, name, content)))
    assert caught.value.line == line and name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_is_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"x\n\xff\n")
    with pytest.raises(ParseError, match=r"a\.txt:2: 0xff at byte 1 is not UTF-8"):
        list(read_texts(file))
    with pytest.raises(GraphError, match="cannot be read"):
        list(read_texts(tmp_path / "missing.txt"))
