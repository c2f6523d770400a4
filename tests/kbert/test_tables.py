"""File formats: nothing is lost, nothing is repaired, every error has its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbert.errors import DataError
from kbert.tables import FORMATS, Table, read_table

NASTY = [
    "NA",
    "null",
    "None",
    "nan",
    '"',
    '"a" b',
    "007",
    "1e5",
    " x ",
    "a\u2028b",
    "a\x85b\x0c",
    "a\u2028",
    "a\x0b",
    "a\x1c\x85",
    "'",
]

anything = st.text(st.characters(codec="utf-8"))
in_a_field = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"))


def write(path: Path, content: str | bytes) -> Path:
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def rows(table: Table) -> list[tuple[int, tuple[object, ...]]]:
    return [tuple(row) for row in table.rows]


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".json", ".jsonl", ".tsv.gz", ".csv.gz"])
def test_nasty_values_survive(tmp_path: Path, suffix: str) -> None:
    if suffix.startswith(".tsv"):
        content = "t\tl\n" + "".join(f"{value}\t{value}\n" for value in NASTY)
    elif suffix.startswith(".csv"):
        quoted = ['"' + value.replace('"', '""') + '"' for value in NASTY]
        content = "t,l\n" + "".join(f"{value},{value}\n" for value in quoted)
    else:
        objects = [json.dumps({"t": v, "l": v}, ensure_ascii=False) for v in NASTY]
        content = "\n".join(objects) if suffix == ".jsonl" else "[" + ",\n".join(objects) + "]"
    table = read_table(write(tmp_path / f"x{suffix}", content))
    assert table.columns == ("t", "l")
    assert [row.cells for row in table.rows] == [(value, value) for value in NASTY]
    first = 1 if suffix.startswith(".json") else 2
    assert [row.line for row in table.rows] == list(range(first, first + len(NASTY)))


@settings(deadline=None)
@given(st.lists(st.tuples(anything, anything)))
def test_any_text_survives_json_lines(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    content = "".join(json.dumps({"a": a, "b": b}, ensure_ascii=False) + "\n" for a, b in pairs)
    table = read_table(write(tmp_path_factory.getbasetemp() / "any.jsonl", content))
    assert rows(table) == [(n, pair) for n, pair in enumerate(pairs, start=1)]


@settings(deadline=None)
@given(st.lists(st.tuples(anything, anything)))
def test_any_text_survives_csv(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    fields = [['"' + cell.replace('"', '""') + '"' for cell in pair] for pair in pairs]
    content = "a,b\n" + "".join(",".join(pair) + "\r\n" for pair in fields)
    table = read_table(write(tmp_path_factory.getbasetemp() / "any.csv", content))
    assert [row.cells for row in table.rows] == pairs
    lines = content.split("\n")
    assert all(lines[row.line - 1].startswith('"') for row in table.rows)


@settings(deadline=None)
@given(st.lists(st.tuples(in_a_field, in_a_field)))
def test_any_field_survives_tsv(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    content = "a\tb\n" + "".join(f"{a}\t{b}\n" for a, b in pairs)
    table = read_table(write(tmp_path_factory.getbasetemp() / "any.tsv", content))
    assert rows(table) == [(n, pair) for n, pair in enumerate(pairs, start=2)]


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    for suffix, separator in ((".tsv", "\t"), (".csv", ",")):
        content = f"\ufeffa{separator}b\r\n1{separator}2\r\n\r\n"
        table = read_table(write(tmp_path / f"x{suffix}", content))
        assert table == Table(table.file, ("a", "b"), table.rows)
        assert rows(table) == [(2, ("1", "2"))]


def test_only_one_carriage_return_belongs_to_the_line_end(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "x.tsv", "a\tb\n1\r1\t2\r\r\n"))
    assert rows(table) == [(2, ("1\r1", "2\r"))]


def test_csv_records_over_several_lines_keep_their_line(tmp_path: Path) -> None:
    content = 'a,b\n"1\n1\n1",2\n3,"4,""4"""\n5,6'
    table = read_table(write(tmp_path / "x.csv", content))
    assert rows(table) == [(2, ("1\n1\n1", "2")), (5, ("3", '4,"4"')), (6, ("5", "6"))]


def test_csv_fields_are_of_any_length_and_hold_carriage_returns(tmp_path: Path) -> None:
    long = "中" * 200_000
    content = f'a,b\r\n{long},1\r1\r\n"{long}\n{long}","2\r"\r\n\r,a"b"\n'
    table = read_table(write(tmp_path / "x.csv", content))
    assert rows(table) == [
        (2, (long, "1\r1")), (3, (f"{long}\n{long}", "2\r")), (5, ("\r", 'a"b"')),
    ]  # fmt: skip


def test_json_list_knows_the_lines_of_its_objects(tmp_path: Path) -> None:
    content = '\n[ {"a": "[1,\\n"},\n\n  {"b": null,\n "a": 2}\n , {\n}]\n'
    table = read_table(write(tmp_path / "x.json", content))
    assert table.columns == ("a", "b")
    assert rows(table) == [(2, ("[1,\n", None)), (4, (2, None)), (6, (None, None))]


def test_parquet_rows_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {"t": ["NA", None], "n": [["a"], []], "c": [1, 2]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    assert read_table(path).columns == ("t", "n", "c")
    assert rows(read_table(path)) == [(1, ("NA", ["a"], 1)), (2, (None, [], 2))]


@pytest.mark.parametrize(
    ("name", "content", "place", "message"),
    [
        ("x.tsv", "", "", "the file is empty"),
        ("x.tsv", "a\tb\n1\t2\n1\t2\t3\n", ":3", "3 fields, but the header has 2"),
        ("x.tsv", "a\tb\n1\n", ":2", "1 fields, but the header has 2"),
        ("x.tsv", "a\tb\n1\t2\n\n3\t4\n", ":3", "an empty line between rows"),
        ("x.tsv", b"a\tb\n1\t\xe4\xb8\n", ":2", "not UTF-8: byte 0xe4 in column 3"),
        ("x.tsv", b"a\tb\n1\t\xff2\n", ":2", "byte 0xff in column 3"),
        ("x.tsv", "a\ta\n", ":1", "column 'a' stands twice"),
        ("x.csv", "a,b\n1,2,3\n", ":2", "3 fields, but the header has 2"),
        ("x.csv", 'a,b\n1,2\n"3,4\n5,6\n', ":3", "bad CSV in the record that starts here"),
        ("x.csv", 'a,b\n"1"x,2\n', ":2", "field 1 goes on after the quote that closes it"),
        ("x.csv", 'a,b\n1,"2"\r,\n', ":2", "field 2 goes on after the quote that closes it"),
        ("x.csv", 'a,b\n1,"2""\n3,4\n', ":2", "field 2 opens a quote that is never closed"),
        ("x.csv", "a,b\n\n1,2\n", ":2", "an empty line between rows"),
        ("x.json", "", ":1", "bad JSON: Expecting value"),
        ("x.json", '{"a": 1}', "", "expected a list of objects"),
        ("x.json", '[{"a": 1},\n{"a": }]', ":2", "bad JSON: Expecting value, column 7"),
        ("x.json", '[{"a": 1},\n 3]', ":2", "each row must be an object, not int"),
        ("x.json", '[{"a": 1}] 2', ":1", "bad JSON: Extra data"),
        ("x.json", '[{"a": 1},\n{"b": 1, "b": 2}]', "", "key 'b' stands twice"),
        ("x.json", "[" * 100_000, "", "bad JSON"),
        ("x.jsonl", '{"a": 1}\n{"a": 1', ":2", "bad JSON: Expecting ',' delimiter"),
        ("x.jsonl", '{"a": 1}\n["a"]\n', ":2", "each row must be an object, not list"),
        ("x.jsonl", '{"a": 1}\n\n{"a": 2}\n', ":2", "an empty line between rows"),
        ("x.jsonl", '{"a": 1, "a": 2}\n', ":1", "key 'a' stands twice"),
        ("x.parquet", b"PAR1 but not really PAR1", "", "cannot be read as Parquet"),
        ("x.txt", "a\tb\n", "", "unknown format: the name must end in .tsv, .tsv.gz"),
    ],
)
def test_errors_have_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, place: str, message: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("x.tsv.gz", b"a" * (1 << 20)),
        ("x.csv.gz", b"a" * (1 << 20)),
        ("x.json.gz", b" " * (1 << 20)),
        ("x.jsonl.gz", b" " * (1 << 20)),
        ("x.tsv.gz", b"a\t" + b"b" * 200 + b"\n"),
        ("x.csv.gz", b"a," + b"b" * 200 + b"\n"),
        ("x.jsonl.gz", b'{"a": "' + b"b" * 200 + b'"}\n'),
    ],
)
def test_a_bomb_is_refused(name: str, line: bytes, tmp_path: Path) -> None:
    """12 MiB in a file of less than a two-hundredth of it: one line without end, or many."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(line * (12 * (1 << 20) // len(line)), 9))
    assert path.stat().st_size < 12 * (1 << 20) / 200
    with pytest.raises(DataError, match="times the size of the file; unpack it if you trust it"):
        read_table(path)


def test_every_truncation_of_a_gzip_file_is_noticed(tmp_path: Path) -> None:
    whole = gzip.compress(b"a\tb\n" + "中\t文\n".encode() * 50)
    path = tmp_path / "x.tsv.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"the gzip stream is broken|the file is empty"):
            read_table(path)
    path.write_bytes(b"a\tb\n1\t2\n")
    with pytest.raises(DataError, match="the gzip stream is broken"):
        read_table(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_missing_files_and_folders_are_one_line(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"folder{suffix}").mkdir()
    for name in ("none", "folder"):
        with pytest.raises(DataError) as caught:
            read_table(tmp_path / f"{name}{suffix}")
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
