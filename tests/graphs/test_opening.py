from __future__ import annotations

import gzip
import itertools
import random
import time
import tracemalloc
from pathlib import Path
from unittest import mock

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs import decompression
from graphs.errors import GraphError, ParseError
from graphs.opening import (
    MAX_LINE,
    bare_name,
    blocks,
    line_text,
    lines,
    open_bytes,
    split_lines,
    text_lines,
)

MEBIBYTE = 1 << 20
COMPRESS = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
tmp_path_is_reused = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80
)


def read(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return b"".join(blocks(path))


@pytest.mark.parametrize("suffix", COMPRESS)
@tmp_path_is_reused
@given(
    parts=st.lists(st.text("ab\n\r", max_size=30), max_size=6), piece=st.sampled_from([1, 7, 64])
)
def test_lines_are_the_file_in_a_row(
    tmp_path: Path, suffix: str, parts: list[str], piece: int
) -> None:
    path, data = tmp_path / f"text{suffix}", "".join(parts).encode()
    path.write_bytes(b"".join(COMPRESS[suffix](part.encode()) for part in parts or [""]))
    with mock.patch("graphs.opening.PIECE", piece), mock.patch("graphs.decompression.PIECE", piece):
        found = list(blocks(path))
        assert b"".join(found) == data
        assert all(block.endswith(b"\n") for block in found[:-1])
        assert list(lines(path)) == [line + b"\n" for line in data.split(b"\n")[:-1]] + (
            [data.split(b"\n")[-1]] if data.split(b"\n")[-1] else []
        )
        with open_bytes(path) as file:
            assert file.read() == data


@pytest.mark.parametrize("suffix", COMPRESS)
def test_progress_adds_up_to_the_size_of_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_bytes(COMPRESS[suffix](random.Random(0).randbytes(50_000)))
    with mock.patch("graphs.opening.PIECE", 1 << 10):
        told: list[int] = []
        for _ in blocks(path, progress=told.append):
            pass
        assert sum(told) == path.stat().st_size and len(told) > 1
        again: list[int] = []
        with open_bytes(path, progress=again.append) as file:
            file.read()
        assert again == told


def test_what_may_stand_between_and_after_compressed_parts(tmp_path: Path) -> None:
    frame, member = COMPRESS[".zst"], gzip.compress
    joined = SKIPPABLE + frame(b"a\nb") + SKIPPABLE + frame(b"") + frame(b"c\n")
    assert read(tmp_path / "x.zst", joined) == b"a\nbc\n"
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b"d\n")
    assert read(tmp_path / "x.zst", frame(b"a\n") + unsized) == b"a\nd\n"
    many = member(b"a\nb") + member(b"") + member(b"c\n") + b"\0" * 600
    assert read(tmp_path / "x.GZ", many) == b"a\nbc\n"
    assert read(tmp_path / "x.gz", member(b"a\n") + b"\0" * 9 + member(b"b\n")) == b"a\nb\n"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_every_way_to_cut_a_compressed_file_is_noticed(tmp_path: Path, suffix: str) -> None:
    path, part = tmp_path / f"x{suffix}", b"hello\tworld\tx\n" * 20
    first, second = COMPRESS[suffix](part), COMPRESS[suffix](b"and\tmore\ty\n")
    whole = first + second
    for cut in range(len(whole)):
        if cut == len(first):
            assert read(path, whole[:cut]) == part
            continue
        with pytest.raises(ParseError, match=f"damaged {'gzip' if suffix == '.gz' else 'zstd'}"):
            read(path, whole[:cut])


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_changed_byte_changes_nothing_or_is_noticed(tmp_path: Path, suffix: str) -> None:
    path, data = tmp_path / f"x{suffix}", b"".join(b"%d\tr\t%d\n" % (i, i * i) for i in range(40))
    whole, noticed = COMPRESS[suffix](data), 0
    for at, flip in itertools.product(range(len(whole)), (0x01, 0x80)):
        changed = whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
        try:
            assert read(path, changed) == data
        except ParseError:
            noticed += 1
    assert noticed > len(whole)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("kind", ["garbage after", "empty", "plain"])
def test_a_file_that_is_not_only_compressed_is_refused(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    path = tmp_path / f"x{suffix}"
    good = COMPRESS[suffix](b"a\n")
    path.write_bytes({"garbage after": good + b"more", "empty": b"", "plain": b"a\tb\tc\n"}[kind])
    found = []
    with pytest.raises(ParseError, match=r"damaged .* download or compress it again") as caught:
        found.extend(lines(path))
    assert found == ([b"a\n"] if kind == "garbage after" else [])
    assert caught.value.line == 1 + len(found) and "\n" not in str(caught.value)


def test_a_window_that_needs_much_memory_is_refused(tmp_path: Path) -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    writer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    with pytest.raises(ParseError, match="too much memory"):
        read(tmp_path / "x.zst", writer.compress(b"a\n") + writer.flush())


def test_lines_before_the_damage_are_given(tmp_path: Path) -> None:
    rows = [b"%d\tr\t%d\n" % (i * 7919, i) for i in range(60_000)]
    for suffix, compress in COMPRESS.items():
        if suffix:
            whole = compress(b"".join(rows))
            path = tmp_path / f"x{suffix}"
            path.write_bytes(whole[: len(whole) * 2 // 3])
            found = []
            with pytest.raises(ParseError) as caught:
                found.extend(lines(path))
            assert found == rows[: len(found)] and len(found) > 20_000
            assert caught.value.line == len(found) + 1


def test_an_open_file_never_takes_damage_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    noise = random.Random(0).randbytes(3 * decompression.PIECE)
    path.write_bytes(COMPRESS[".zst"](noise)[:-4])
    with open_bytes(path) as file:
        for _ in range(3):
            with pytest.raises(GraphError, match=r"x\.zst: damaged zstd file \(it ends too early"):
                file.read()


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("absent", "absent.gz", "folder", "null\0byte"):
        with pytest.raises(GraphError, match="cannot be read") as caught:
            list(lines(tmp_path / name))
        assert "\n" not in str(caught.value)
        with pytest.raises(GraphError, match="cannot be read"), open_bytes(tmp_path / name):
            pass


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_line_of_100_megabytes_costs_little(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"long{suffix}"
    varied = random.Random(1).randbytes(MEBIBYTE).replace(b"\n", b"x")  # or it is a bomb
    path.write_bytes(COMPRESS[suffix](varied + b"x" * (99 * MEBIBYTE) + b"\nshort\n"))
    started = time.process_time()
    sizes = [len(line) for line in lines(path)]
    seconds = time.process_time() - started
    assert sizes == [MAX_LINE + 1, 6]
    tracemalloc.start()
    try:
        assert sum(1 for _ in lines(path)) == 2
        assert tracemalloc.get_traced_memory()[1] < 50 * MEBIBYTE
    finally:
        tracemalloc.stop()
    assert seconds < 1


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_bomb_costs_no_memory(tmp_path: Path, suffix: str) -> None:
    path, size = tmp_path / f"bomb{suffix}", 64 * MEBIBYTE
    path.write_bytes(COMPRESS[suffix](b"\n" * size) * 2)
    assert path.stat().st_size < size / 200
    tracemalloc.start()
    try:
        read = 0
        with pytest.raises(ParseError, match="more than 200 times its size when it is unpacked"):
            for block in blocks(path):
                read += len(block)
        assert read <= max(8 * MEBIBYTE, 200 * path.stat().st_size) < size
        assert tracemalloc.get_traced_memory()[1] < 40 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_many_small_members_are_read_in_time(tmp_path: Path) -> None:
    assert read(tmp_path / "x.gz", gzip.compress(b"a\n") * 20_000) == b"a\n" * 20_000


def test_lines_of_a_block_are_cut_at_the_limit() -> None:
    long = b"x" * (MAX_LINE + 7)
    fits = b"y" * MAX_LINE
    assert split_lines(b"a\n" + long + b"\n" + fits + b"\n\nb") == [
        b"a\n", long[: MAX_LINE + 1], fits + b"\n", b"\n", b"b",
    ]  # fmt: skip
    assert split_lines(b"") == []


def test_text_of_a_line() -> None:
    assert line_text(b"\xef\xbb\xbfa\r\r\n", first=True) == "a\r"
    assert line_text(b"\xef\xbb\xbfa", first=False) == "\ufeffa"
    assert line_text(b"a\0", first=True, allow_nul=True) == "a\0"
    for raw, words in [(b"a\0", "NUL at byte 2"), (b"\xef\xbb\xbf\xff", "0xff at byte 4 is not")]:
        with pytest.raises(ValueError, match=words):
            line_text(raw, first=True)


def test_text_lines_are_numbered_and_leave_out_empty_ones(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("\ufeff\n一\r\n\n\n \n二".encode())
    assert list(text_lines(path)) == [(2, "一"), (5, " "), (6, "二")]
    path.write_bytes(b"a\n\n\xff\n")
    with pytest.raises(ParseError, match=":3: 0xff at byte 1"):
        list(text_lines(path))


def test_names_without_the_compression() -> None:
    names = ["Kg.TSV.gz", "kg.nt.ZST", "kg.ttl", "a.b.gz", "gz", ".gz", "kg.tar.bz2"]
    bare = ["kg.tsv", "kg.nt", "kg.ttl", "a.b", "gz", ".gz", "kg.tar.bz2"]
    assert [bare_name(Path("folder") / name) for name in names] == bare


def test_without_zstandard_the_user_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    path.write_bytes(COMPRESS[".zst"](b"a\n"))
    with (
        mock.patch.dict("sys.modules", {"zstandard": None}),
        pytest.raises(GraphError, match="pip install zstandard"),
    ):
        list(lines(path))
