from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs.errors import GraphError, ParseError, UnknownFormat
from graphs.readers import MAX_LINE, ReadReport, read_triples
from graphs.triple import Triple

BEIJING = Triple("北京", "首都", "中国")
SUFFIXES = [".spo", ".tsv", ".csv", ".spo.gz", ".tsv.gz", ".csv.gz"]

field = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\n\t") | st.just('"'),
    min_size=1,
).filter(lambda text: not text.isspace())
tmp_path_is_reused = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


def written(path: Path, data: bytes) -> Path:
    if path.suffix == ".gz":
        data = gzip.compress(data)
    path.write_bytes(data)
    return path


def read(path: Path, data: bytes) -> list[Triple]:
    return list(read_triples(written(path, data)))


def problem(path: Path, data: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        read(path, data)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_triple(tmp_path: Path, suffix: str) -> None:
    comma = "," if "csv" in suffix else "\t"
    assert read(tmp_path / f"kg{suffix}", comma.join(BEIJING).encode()) == [BEIJING]


@tmp_path_is_reused
@given(triples=st.lists(st.tuples(field, field, field), max_size=5), gz=st.booleans())
def test_tab_separated_values_are_verbatim(tmp_path: Path, triples: list, gz: bool) -> None:
    triples = [(h.lstrip("\ufeff") or "h", r, t.rstrip("\r") or "t") for h, r, t in triples]
    data = "".join("\t".join(triple) + "\n" for triple in triples).encode()
    assert read(tmp_path / f"kg.tsv{'.gz' * gz}", data) == triples


@tmp_path_is_reused
@given(triples=st.lists(st.tuples(field, field, field), max_size=5), end=st.sampled_from("\r "))
def test_quoted_csv_values_are_verbatim(tmp_path: Path, triples: list, end: str) -> None:
    lines = [",".join('"' + part.replace('"', '""') + '"' for part in row) for row in triples]
    data = "".join(line + end.strip(" ") + "\n" for line in lines).encode()
    assert read(tmp_path / "kg.csv", data) == triples


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text('",,,ab', min_size=1, max_size=12))
def test_csv_lines_agree_with_the_csv_module(tmp_path: Path, line: str) -> None:
    try:
        fields = next(csv.reader([line], strict=True))
    except csv.Error:
        fields = []
    expected = [tuple(fields)] if len(fields) == 3 and all(fields) else None
    try:
        found = read(tmp_path / "kg.csv", line.encode())
    except ParseError:
        found = None
    assert found == expected


def test_quotes_in_csv_are_quotes_only_at_the_start_of_a_field(tmp_path: Path) -> None:
    line = b'"say ""hi"", all",a"b"c, "d"'
    assert read(tmp_path / "kg.csv", line) == [('say "hi", all', 'a"b"c', ' "d"')]


def test_values_that_other_readers_change_survive(tmp_path: Path) -> None:
    rows = [("NA", "null", "007"), (" a ", '"q', "it's"), ("#x", "None", "1e5"), ('a"', "é", "ﬁ")]
    data = "".join("\t".join(row) + "\n" for row in rows).encode()
    assert read(tmp_path / "kg.tsv", data) == rows


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\r", "\x85", "\x0b", "\x0c", "\x1c"])
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_only_a_line_feed_ends_a_line(tmp_path: Path, char: str, suffix: str) -> None:
    comma = "," if suffix == ".csv" else "\t"
    row = (f"a{char}b", "r", f"x{char}y")
    assert read(tmp_path / f"kg{suffix}", comma.join(row).encode() + b"\n") == [row]


def test_windows_line_ends_byte_order_mark_and_empty_lines_hold_nothing(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + b"a\tr\tb\r\n\r\n\nc\tr\td\r\r\n"
    assert read(tmp_path / "kg.spo", data) == [("a", "r", "b"), ("c", "r", "d\r")]
    assert read(tmp_path / "kg.spo", b"") == []
    assert read(tmp_path / "kg.spo", b"\xef\xbb\xbf") == []
    later = "a\tr\tb\n\ufeffa\tr\tb\n".encode()
    assert read(tmp_path / "kg.spo", later) == [("a", "r", "b"), ("\ufeffa", "r", "b")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"a\tb", "2 fields instead of 3"),
        (b"a\tb\tc\td", "4 fields instead of 3"),
        (b"a b c", "1 fields instead of 3"),
        (b" ", "1 fields instead of 3"),
        (b"\tr\tb", "empty head"),
        (b"a\t \tb", "empty relation"),
        ("a\tr\t\u3000".encode(), "empty tail"),
        (b"a\tr\tb\0", "NUL at byte 6"),
        (b"a\tr\t\xff", "0xff at byte 5 is not UTF-8"),
        ("北京\tr\t".encode() + b"\xe4\xb8", "0xe4 at byte 10 is not UTF-8"),
        (b"a\tr\t\xed\xa0\x80", "0xed at byte 5 is not UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "kg.spo"
    error = problem(path, b"a\tr\tb\n\n" + line + b"\na\tr\tc\n")
    assert (error.file, error.line) == (str(path), 3)
    assert str(error).startswith(f"{path}:3: ") and words in str(error)


def test_the_byte_order_mark_counts_in_byte_columns(tmp_path: Path) -> None:
    assert "at byte 4 " in str(problem(tmp_path / "kg.tsv", b"\xef\xbb\xbf\xff"))


@pytest.mark.parametrize("line", ['a,r,"b', '"a"x,r,b', 'a,"r,b'])
def test_a_quote_that_does_not_close_is_an_error(tmp_path: Path, line: str) -> None:
    error = problem(tmp_path / "kg.csv", f'a,r,b\n{line}\nc,r,d"\n'.encode())
    assert error.line == 2 and "quote" in str(error)


def test_a_line_may_hold_one_mebibyte_and_no_more(tmp_path: Path) -> None:
    longest = b"a\tr\t" + b"x" * (MAX_LINE - 4)
    for end in (b"", b"\n"):
        assert len(read(tmp_path / "kg.tsv", longest + end)) == 1
    for extra in (b"x", b"x\n", b"x" * (3 * MAX_LINE), b"\r\n"):
        assert problem(tmp_path / "kg.tsv", b"a\tr\tb\n" + longest + extra).line == 2


def test_the_rest_of_a_line_that_is_too_long_is_skipped_with_it(tmp_path: Path) -> None:
    report = ReadReport()
    for size in (MAX_LINE + 1, MAX_LINE + 2, 2 * MAX_LINE + 2, 3 * MAX_LINE):
        path = written(tmp_path / "kg.tsv", b"x" * size + b"\na\tr\tb\n")
        assert list(read_triples(path, on_error="skip", report=report)) == [("a", "r", "b")]
    assert report.skipped == 4


def test_skipping_counts_and_keeps_the_first_messages(tmp_path: Path) -> None:
    path = written(tmp_path / "kg.spo", b"bad\na\tr\tb\n" + b"worse\n" * 20 + b"\nc\tr\td\n")
    report = ReadReport()
    triples = list(read_triples(path, on_error="skip", report=report))
    assert triples == [("a", "r", "b"), ("c", "r", "d")]
    assert (report.triples, report.skipped, len(report.messages)) == (2, 21, 10)
    assert report.messages[0].startswith(f"{path}:1: ")
    assert report.messages[1].startswith(f"{path}:3: ")


def test_nothing_is_skipped_in_silence(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="report"):
        read_triples(tmp_path / "kg.spo", on_error="skip")
    with pytest.raises(GraphError, match="'ignore'"):
        read_triples(tmp_path / "kg.spo", on_error="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_damaged_gzip_file_fails_either_way(tmp_path: Path, on_error: str) -> None:
    path = tmp_path / "kg.spo.gz"
    lines = b"".join(b"%d\tr\t%d\n" % (i * 7919, i) for i in range(60_000))
    whole = gzip.compress(lines)
    no_block = whole[:10] + b"\xff" + whole[11:]
    wrong_sum = whole[:-8] + bytes(byte ^ 0xFF for byte in whole[-8:-4]) + whole[-4:]
    cut = whole[: len(whole) // 2]
    seen = []
    for data in (cut, wrong_sum, no_block, b"plain\ttext\tfile\n", b""):
        path.write_bytes(data)
        with pytest.raises(ParseError, match="damaged gzip") as caught:
            list(read_triples(path, on_error=on_error, report=ReadReport()))
        seen.append(caught.value.line)
    assert 1_000 < seen[0] < 60_000  # the line where reading stopped, not the file's first
    assert seen[1] > 50_000
    assert seen[2:] == [1, 1, 1]


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder.tsv").mkdir()
    for name in ("absent.tsv", "folder.tsv", "absent.csv.gz"):
        with pytest.raises(GraphError, match=name) as caught:
            list(read_triples(tmp_path / name))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["kg.txt", "kg", "kg.gz", "spo", "kg.tsv.bz2"])
def test_an_unknown_suffix_is_refused_before_reading(name: str) -> None:
    with pytest.raises(UnknownFormat, match=r"\.spo, \.tsv, \.csv"):
        read_triples(name)


def test_suffixes_may_be_upper_case(tmp_path: Path) -> None:
    assert read(tmp_path / "KG.SPO", b"a\tr\tb") == [("a", "r", "b")]
    (tmp_path / "KG.TSV.GZ").write_bytes(gzip.compress(b"a\tr\tb"))
    assert list(read_triples(tmp_path / "KG.TSV.GZ")) == [("a", "r", "b")]


@pytest.mark.parametrize("suffix", [".spo", ".spo.gz"])
def test_the_file_is_closed_with_the_iterator(tmp_path: Path, suffix: str) -> None:
    # An open file that is collected warns, and warnings are errors in these tests.
    path = written(tmp_path / f"kg{suffix}", b"a\tr\tb\n" * 1000)
    triples = read_triples(path)
    assert next(triples) == ("a", "r", "b")
    opened = [fd for fd in _open_files() if fd == path]
    triples.close()
    assert len(opened) == _can_see_open_files()
    assert path not in _open_files()
    list(read_triples(path))
    assert path not in _open_files()


def _can_see_open_files() -> bool:
    return Path("/proc/self/fd").is_dir()


def _open_files() -> list[Path]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return []
    return [link.readlink() for link in folder.iterdir() if link.is_symlink()]


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"is a folder; name a file of triples in it$"):
        list(read_triples(tmp_path))
