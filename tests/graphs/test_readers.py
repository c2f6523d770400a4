from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs.errors import GraphError, ParseError, UnknownFormat
from graphs.opening import MAX_LINE, line_text
from graphs.readers import RDF_SUFFIXES, SUFFIXES, ReadReport, is_rdf, read_triples
from graphs.syntax.delimited import block_triples, line_triple
from graphs.triple import Triple

BEIJING = Triple("北京", "首都", "中国")
TEXT = [form + end for form in (".spo", ".tsv", ".csv") for end in ("", ".gz", ".zst")]

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
    if path.suffix == ".zst":
        data = zstandard.ZstdCompressor().compress(data)
    path.write_bytes(data)
    return path


def read(path: Path, data: bytes) -> list[Triple]:
    return list(read_triples(written(path, data)))


def problem(path: Path, data: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        read(path, data)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("suffix", TEXT)
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
    for name in ("absent.tsv", "folder.tsv", "absent.csv.gz", "absent.nq.zst", "absent.ttl"):
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


@pytest.mark.parametrize("suffix", [".spo", ".spo.gz", ".spo.zst"])
def test_the_file_is_closed_with_the_iterator(tmp_path: Path, suffix: str) -> None:
    # An open file that is collected warns, and warnings are errors in these tests.
    rows = [
        b"%d\tr\t%s\n" % (i, random.Random(i).randbytes(40).hex().encode()) for i in range(9999)
    ]
    path = written(tmp_path / f"kg{suffix}", b"".join(rows))
    triples = read_triples(path)
    assert next(triples)[:2] == ("0", "r")
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
    (tmp_path / "kg.tsv").mkdir()
    for path in (tmp_path, tmp_path / "kg.tsv"):
        with pytest.raises(GraphError, match=r"is a folder without .*; name a file of triples in"):
            read_triples(path)


@contextmanager
def small(*, piece: int, longest: int) -> Iterator[None]:
    """Read pieces of a few bytes, and call lines of more than a few too long."""
    with (
        mock.patch("graphs.opening.PIECE", piece),
        mock.patch("graphs.opening.MAX_LINE", longest),
        mock.patch("graphs.syntax.delimited.MAX_LINE", longest),
        mock.patch("graphs.readers.MAX_LINE", longest),
    ):
        yield


def one_by_one(data: bytes, *, separator: str) -> tuple[list[Triple], list[tuple[int, str]]]:
    """Read a file as the rules say, line by line: its triples, and what is wrong in which line."""
    triples, problems = [], []
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            text = line_text(line, first=number == 1)
            triple = line_triple(text, separator=separator)
        except ValueError as error:
            problems.append((number, str(error)))
        else:
            triples += [] if triple is None else [triple]
    return triples, problems


piece_of_line = st.sampled_from(
    [b"a", b"bc", b"\t", b"\t", b"a\tb\tc\td", b",", b"\n", b"a\tr\tb\n", b"x,r,y\n", b" ",
     b"a\tr\tb\r\n", b'"', b"\r", b"\xef\xbb\xbf", b"\xff", b"\xe4\xb8", "中".encode(),
     b"\0", b"\xe3\x80\x80"]
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(piece_of_line, max_size=24).map(b"".join),
    piece=st.sampled_from([1, 5, 30, 1000]),
    suffix=st.sampled_from([".tsv", ".csv", ".tsv.zst"]),
)
def test_blocks_and_lines_give_the_same(
    tmp_path: Path, data: bytes, piece: int, suffix: str
) -> None:
    path = written(tmp_path / f"kg{suffix}", data)
    triples, problems = one_by_one(data, separator="," if "csv" in suffix else "\t")
    report = ReadReport()
    with small(piece=piece, longest=1000):
        assert list(read_triples(path, on_error="skip", report=report)) == triples
        assert (report.triples, report.skipped) == (len(triples), len(problems))
        expected = [f"{path}:{number}: {words}" for number, words in problems]
        assert report.messages == expected[:10]
        if problems:
            with pytest.raises(ParseError) as caught:
                list(read_triples(path))
            assert str(caught.value) == expected[0]


@given(st.lists(piece_of_line, max_size=12).map(b"".join), st.sampled_from("\t,"), st.booleans())
def test_a_block_says_what_its_lines_say_or_nothing(
    block: bytes, separator: str, first: bool
) -> None:
    block += b"\n"
    found = block_triples(block, separator=separator, first=first)
    if found is not None:
        texts = [
            line_text(line, first=first and number == 0)
            for number, line in enumerate(block.split(b"\n"))
        ]
        lines = [line_triple(text, separator=separator) for text in texts]
        assert found == [triple for triple in lines if triple is not None]
        assert all(type(triple) is Triple for triple in found)


def test_good_blocks_take_the_fast_way() -> None:
    rows = "".join(f"头{i}\tr {i}\tNA\r\n" for i in range(1000))
    assert block_triples(("\ufeff" + rows).encode(), separator="\t", first=True) == [
        (f"头{i}", f"r {i}", "NA") for i in range(1000)
    ]
    for unusual in (
        "a\tb\nc\td\te\tf\n",
        "a\tb\tc\td\ne\tf\n",
        "a\tb\tc\td\te\tf\tg\n",  # four fields more than three: as many as two lines have
        "a\tb\tc\n\nd\te\tf\n",
        "a\tb\tc",
    ):
        assert block_triples(unusual.encode(), separator="\t", first=True) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    piece=st.sampled_from([1, 8, 20, 64]),
    last=st.booleans(),
)
def test_long_lines_are_named_wherever_they_are_cut(
    tmp_path: Path, sizes: list[int], piece: int, last: bool
) -> None:
    lines = [b"a\tr\t" + b"x" * size for size in sizes]
    path = written(tmp_path / "kg.tsv", b"\n".join(lines) + b"\n" * last)
    report = ReadReport()
    with small(piece=piece, longest=20):
        triples = list(read_triples(path, on_error="skip", report=report))
    assert triples == [("a", "r", "x" * size) for size in sizes if size <= 16]
    wrong = [number for number, size in enumerate(sizes, start=1) if size > 16]
    assert [message.split(":")[-2] for message in report.messages] == list(map(str, wrong))
    assert all("more than 20 bytes" in message for message in report.messages)


def test_the_report_counts_what_was_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "kg.tsv", b"a\tr\tb\n" * 100)
    report = ReadReport()
    triples = read_triples(path, report=report)
    for _ in range(7):
        next(triples)
    triples.close()
    assert report.triples == 7


def test_progress_is_told_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    told: list[int] = []
    for name in ("kg.tsv", "kg.csv.gz", "kg.spo.zst", "kg.nt"):
        path = written(tmp_path / name, b"")
        told.clear()
        list(read_triples(path, progress=told.append))
        assert sum(told) == path.stat().st_size


NT = "<http://e.org/a> <http://e.org/r> "


def test_n_triples_are_read_into_canonical_terms(tmp_path: Path) -> None:
    data = f'\ufeff# all\n{NT}"caf\\u00E9\\t"@EN .\r\n\r\n{NT}_:b .{NT}<urn:graphs:a%20b> .'
    expected = [
        ("http://e.org/a", "http://e.org/r", '"café\\t"@en'),
        ("http://e.org/a", "http://e.org/r", "_:b"),
        ("http://e.org/a", "http://e.org/r", "a b"),
    ]
    data = data.replace(f".{NT}", f".\r{NT}")
    for name in ("kg.nt", "kg.nq", "kg.nt.gz", "kg.nq.zst"):
        found = read(tmp_path / name, data.encode())
        assert found == expected
        assert all(type(triple) is Triple for triple in found)


def test_n_quads_are_merged_and_counted(tmp_path: Path) -> None:
    path = written(
        tmp_path / "kg.nq", f"{NT}<x:g> .\n{NT}<x:g> <x:h> .\nbad\n{NT}_:g _:h .".encode()
    )
    for piece in (10, 1 << 18):
        report = ReadReport()
        with mock.patch("graphs.opening.PIECE", piece):
            triples = list(read_triples(path, on_error="skip", report=report))
        assert [triple.tail for triple in triples] == ["x:g", "x:g", "_:g"]
        assert (report.merged, report.triples, report.skipped) == (2, 3, 1)


@pytest.mark.parametrize("name", ["kg.nt", "kg.nq"])
def test_bad_lines_of_n_triples_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for bad in (b"<a> <x:r> <x:b> .", b"\xff", b"<x:a> <x:r> <x:b>", b"<x:a> <x:r> <x:b\0> ."):
        error = problem(path, f"{NT}<x:b> .\n\n".encode() + bad + b"\n")
        assert error.line == 3 and error.file == str(path)
    assert read(path, f'{NT}"\0" .'.encode()) == [("http://e.org/a", "http://e.org/r", '"\\u0000"')]
    lines = ["# none", f"{NT}<x:b> .\r{NT}<x:c> .", "", "bad", f"{NT}<x:d> ."]
    for piece in (1, 10, 50, 1 << 18):
        with mock.patch("graphs.opening.PIECE", piece):
            assert problem(path, "\n".join(lines).encode()).line == 4
    too_long = f'{NT}"'.encode() + b"x" * MAX_LINE + b'" .\n'
    assert "more than" in str(problem(path, too_long))


@pytest.mark.parametrize("suffix", [".ttl", ".trig.gz", ".rdf", ".OWL", ".xml", ".jsonld", ".n3"])
def test_formats_without_lines_cannot_skip_them(tmp_path: Path, suffix: str) -> None:
    says = r"bad lines can be skipped where a line is a triple, not in \S+; mend"
    with pytest.raises(GraphError, match=says):
        read_triples(tmp_path / f"kg{suffix}", on_error="skip", report=ReadReport())


def test_turtle_is_read_through_its_own_door(tmp_path: Path) -> None:
    turtle = b"@prefix x: <http://e.org/> . x:a x:r x:b, 'c'@EN ."
    for name in ("kg.ttl", "kg.ttl.gz", "KG.TTL"):
        report = ReadReport()
        told: list[int] = []
        path = written(tmp_path / name, turtle)
        triples = list(read_triples(path, report=report, progress=told.append))
        assert triples == [
            ("http://e.org/a", "http://e.org/r", "http://e.org/b"),
            ("http://e.org/a", "http://e.org/r", '"c"@en'),
        ]
        assert all(type(triple) is Triple for triple in triples)
        assert report.triples == 2 and sum(told) == path.stat().st_size
    path = tmp_path / "cut.ttl.gz"
    path.write_bytes(gzip.compress(turtle)[:-4])
    with pytest.raises(GraphError, match="damaged gzip"):
        list(read_triples(path))


def test_suffixes_tell_rdf_from_text() -> None:
    for suffix in SUFFIXES:
        assert is_rdf(f"folder.nt/kg{suffix.upper()}") == (
            suffix.removesuffix(".gz").removesuffix(".zst") in RDF_SUFFIXES
        )
    assert not any(map(is_rdf, ["kg", "nt", "kg.nt.bz2", "kg.gz"]))
    assert len(set(SUFFIXES)) == len(SUFFIXES) == 3 * 12
    assert SUFFIXES[:3] == (".spo", ".tsv", ".csv")


def test_a_published_folder_gives_its_training_triples(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("a\tr\tb\t1\n")
    (tmp_path / "train.txt").write_text("a\tr\tc\nbad\n")
    report = ReadReport()
    assert list(read_triples(tmp_path, on_error="skip", report=report)) == [("a", "r", "c")]
    assert report.notes == [f"{tmp_path}: the graph is train.txt; left out: test.tsv"]
    assert report.messages[0].startswith(f"{tmp_path / 'train.txt'}:2: ")


GOLDEN = """\
NA\tnull\tNaN
"quoted"\tsays "hi"\tit's
'\t\\N\t\\t
007\t1e5\t0x1F
 leading\ttrailing \t both 
#comment\t;\t//
None\tTrue\t-
a,b\tc;d\te|f
=1+1\t@cmd\t+49
[SEP]\t[MASK]\t<unk>
ﬁ\té\te\u0301
\u202eabc\t\u200b\u200d\t\u2028x
"""


def test_names_that_other_readers_change_are_verbatim(tmp_path: Path) -> None:
    rows = [tuple(line.split("\t")) for line in GOLDEN.split("\n")[:-1]]
    assert len(rows) == 12
    for name in ("kg.tsv", "kg.spo.gz", "kg.tsv.zst"):
        assert read(tmp_path / name, GOLDEN.encode()) == rows


@pytest.mark.data
def test_published_graphs_are_read_whole(data_dir: Path) -> None:
    counts = {"UMLS": 5216, "WN18RR": 86835, "nations": 1592, "CN100K": 100_000}
    for name, count in counts.items():
        assert sum(1 for _ in read_triples(data_dir / "kgc" / name)) == count
    nt = data_dir / "rdf" / "schemaorg-30.0" / "schemaorg-current-https.nt"
    assert len(set(read_triples(nt))) == 17_949
